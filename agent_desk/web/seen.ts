// Owns what a page has seen: a snapshot, then pushes in order. The same rule as `Seen` in ctiserver/api/pushes.py.

import type { Callback, CallerContext, Conversation, Push, Queue, Seat } from "./api.js";

const byKey = <T>(items: readonly T[] | undefined, keyOf: (item: T) => string) => new Map((items ?? []).map((item) => [keyOf(item), item]));

export class Seen {
  seats = new Map<string, Seat>();
  queues = new Map<string, Queue>();
  conversations = new Map<string, Conversation>();
  contexts = new Map<string, CallerContext>();
  callbacks = new Map<string, Callback>();
  linked = false;

  apply(push: Push): void {
    switch (push.type) {
      case "snapshot":
        this.seats = byKey(push.seats, (seat) => seat.id);
        this.queues = byKey(push.queues, (queue) => queue.name);
        this.conversations = byKey(push.conversations, (conversation) => conversation.id);
        this.contexts = byKey(push.contexts, (context) => context.conversation);
        this.callbacks = byKey(push.callbacks, (callback) => callback.id);
        this.linked = push.linked ?? false;
        break;
      case "seat":
        this.seats.set(push.seat.id, push.seat);
        break;
      case "queue":
        this.queues.set(push.queue.name, push.queue);
        break;
      case "conversation":
        this.conversations.set(push.conversation.id, push.conversation);
        break;
      case "conversation_gone":
        this.conversations.delete(push.id);
        this.contexts.delete(push.id);
        break;
      case "pop":
      case "context":
        this.contexts.set(push.context.conversation, push.context);
        break;
      case "callback":
        this.callbacks.set(push.callback.id, push.callback);
        break;
      case "callback_gone":
        this.callbacks.delete(push.id);
        break;
      case "link":
        this.linked = push.linked;
        break;
    }
  }
}
