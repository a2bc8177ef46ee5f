// Owns what a page has seen: a snapshot, then pushes in order. The same rule as `Seen` in ctiserver/api/pushes.py.

const byKey = (items, key) => new Map(items.map((item) => [item[key], item]));

export class Seen {
  constructor() {
    this.apply({ type: "snapshot", seats: [], queues: [], conversations: [], contexts: [], callbacks: [], linked: false });
  }

  apply(push) {
    switch (push.type) {
      case "snapshot":
        this.seats = byKey(push.seats ?? [], "id");
        this.queues = byKey(push.queues ?? [], "name");
        this.conversations = byKey(push.conversations ?? [], "id");
        this.contexts = byKey(push.contexts ?? [], "conversation");
        this.callbacks = byKey(push.callbacks ?? [], "id");
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
