// Owns the push protocol's types: made by `python -m ctiserver.contract`, not by hand.

export type Action = "call.complete" | "call.consult" | "call.dial" | "call.drop" | "call.hang_up" | "call.hold" | "call.keys" | "call.leave" | "call.merge" | "call.mute" | "call.rate" | "call.requeue" | "call.retrieve" | "call.three_way" | "call.transfer" | "call.unmute" | "call.withdraw" | "emergency.call" | "recording.pause" | "recording.resume" | "seat.lower_hand" | "seat.not_ready" | "seat.raise_hand" | "seat.ready" | "seat.sign_out" | "seat.withdraw_rest" | "seat.wrap_up" | "supervise.answer_hand" | "supervise.barge" | "supervise.cancel_callback" | "supervise.grant_rest" | "supervise.grant_rest_over" | "supervise.hang_up" | "supervise.listen" | "supervise.message" | "supervise.not_ready" | "supervise.pick" | "supervise.queues" | "supervise.raise" | "supervise.ready" | "supervise.refuse_rest" | "supervise.sign_out" | "supervise.stop" | "supervise.take_over" | "supervise.whisper" | "supervise.wrap_up";

export interface Alarm {
  readonly type: "alarm";
  readonly kind: string;
  readonly seat: string;
  readonly conversation: string;
  readonly number?: string;
}

export interface Answer {
  readonly re: number;
  readonly ok?: Readonly<Record<string, string>> | null;
  readonly error?: Readonly<Record<string, string>> | null;
}

export interface Attempt {
  readonly n: number;
  readonly number: string;
  readonly label: string;
  readonly state: AttemptState;
  readonly asked_us: number;
  readonly is_emergency?: boolean;
  /** The seat that is called; "" for somebody outside. */
  readonly seat?: string;
  readonly actions?: ReadonlyArray<Action>;
}

export type AttemptState = "answered" | "busy" | "calling" | "left" | "no_answer" | "rejected" | "ringing" | "unreachable" | "withdrawn";

export interface Callback {
  readonly id: string;
  readonly number: string;
  readonly queue: string;
  /** Since when they count as waiting: when they joined the queue, less what they had waited before. */
  readonly since_us: number;
  readonly asked_us: number;
  readonly state?: CallbackState;
  /** How often their phone has rung in vain. */
  readonly tries?: number;
  /** After a vain try: not called again sooner. */
  readonly not_before_us?: number;
  /** The seat that calls them now. */
  readonly seat?: string;
  /** What a supervisor may do about it now. */
  readonly supervise?: ReadonlyArray<Action>;
}

export interface CallbackGone {
  readonly type: "callback_gone";
  readonly id: string;
}

export interface CallbackPush {
  readonly type: "callback";
  readonly callback: Callback;
}

export type CallbackState = "calling" | "cancelled" | "done" | "failed" | "waiting" | "withdrawn";

export interface CallerContext {
  readonly conversation: string;
  /** as it came; empty when withheld */
  readonly number: string;
  readonly masked: string;
  readonly place?: string;
  readonly carrier?: string;
  readonly is_withheld?: boolean;
  /** caller-id name exactly as it came */
  readonly name?: string;
  readonly dnis?: string;
  /** What agents see of a merged line (并入热线) that was dialled. */
  readonly label?: string;
  readonly started_us?: number;
  readonly queued_us?: number;
  /** Their way through the IVR in words, "" when it says nothing: 查询案件 20261124-0001，12 秒后按 0. */
  readonly way?: string;
  /** How long they had waited in earlier calls that they gave up, lately. */
  readonly waited_before_ms?: number;
  /** 保位回呼: the hotline calls them; they have kept their place in line since `queued_us`. */
  readonly is_callback?: boolean;
  /** 转队列: the queue, by number, from which a seat passed them on; "" when none did. */
  readonly passed_from?: string;
  /** Of one who was passed on: how long they had waited before a seat first answered. */
  readonly waited_ms?: number;
  readonly contacts?: ReadonlyArray<Contact>;
  readonly cases?: ReadonlyArray<CaseBrief>;
  /** False: the database has not answered yet (or is down); an update may follow. */
  readonly is_complete?: boolean;
}

export interface CaseBrief {
  readonly id: string;
  readonly number: string;
  readonly title: string;
  readonly state: string;
  readonly unit: string;
  readonly opened_us: number;
}

export type Code = "agent_elsewhere" | "agent_in_call" | "already_held" | "bad_keys" | "bad_message" | "bad_number" | "in_call" | "no_callback" | "no_hand" | "no_phone" | "no_queue" | "no_rest" | "no_seat" | "no_softphone" | "no_such_leg" | "no_text" | "no_third_party" | "no_why" | "not_allowed" | "not_consulting" | "not_held" | "not_signed_in" | "not_supervising" | "not_waiting" | "number_quota" | "one_target" | "outbound_quota" | "phone_busy" | "rest_limit" | "seat_not_talking" | "seat_taken" | "seat_unavailable" | "switch_down" | "switch_refused" | "third_party_pending" | "too_fast" | "unknown_op" | "unknown_reason";

export interface Complete {
  readonly op: "call.complete";
}

export interface Consult {
  readonly op: "call.consult";
  readonly number?: string;
  readonly seat?: string;
  readonly agent?: string;
}

export interface Contact {
  readonly conversation: string;
  readonly at_us: number;
  readonly outcome: string;
  readonly agent: string;
  readonly talk_ms: number;
}

export interface ContextPush {
  readonly type: "context";
  readonly context: CallerContext;
}

export interface Conversation {
  readonly id: string;
  readonly number: string;
  readonly name: string;
  readonly dnis: string;
  readonly phase: Phase;
  readonly started_us: number;
  /** What agents see of a merged line (并入热线) that was dialled: "经12319并入". */
  readonly label?: string;
  /** The queue that it waits or waited in, by number; "" before the first. */
  readonly queue?: string;
  /** How long they had waited in earlier calls that they gave up, lately: they came first for it. */
  readonly waited_before_ms?: number;
  readonly queued_us?: number;
  readonly answered_us?: number;
  /** The hotline called the citizen (外呼). */
  readonly is_outbound?: boolean;
  /** 保位回呼: it calls the citizen whose place in line since `queued_us` was kept. */
  readonly is_callback?: boolean;
  readonly is_recording_paused?: boolean;
  /** 提前: a supervisor has put the waiting caller at the head of the line. */
  readonly is_raised?: boolean;
  /** Seats that ring or talk in it now. */
  readonly seats?: ReadonlyArray<string>;
  readonly participants?: ReadonlyArray<Participant>;
  readonly attempts?: ReadonlyArray<Attempt>;
  /** What a supervisor may do about it now; nobody else is shown this. */
  readonly supervise?: ReadonlyArray<Action>;
}

export interface ConversationGone {
  readonly type: "conversation_gone";
  readonly id: string;
}

export interface ConversationPush {
  readonly type: "conversation";
  readonly conversation: Conversation;
}

export interface Dial {
  readonly op: "call.dial";
  readonly number: string;
  readonly about?: string;
}

export interface Drop {
  readonly op: "call.drop";
  readonly leg: string;
}

export interface EmergencyCall {
  readonly op: "emergency.call";
  readonly number: string;
}

export interface HangUp {
  readonly op: "call.hang_up";
}

export interface Hold {
  readonly op: "call.hold";
}

export interface Keys {
  readonly op: "call.keys";
  readonly digits: string;
  readonly leg?: string;
}

export interface Leave {
  readonly op: "call.leave";
}

export type LegState = "held" | "ringing" | "talking" | "waiting";

export interface LinkPush {
  readonly type: "link";
  readonly linked: boolean;
}

export interface LowerHand {
  readonly op: "seat.lower_hand";
}

export interface Merge {
  readonly op: "call.merge";
}

export interface Message {
  readonly type: "message";
  readonly seat: string;
  readonly text: string;
  readonly by: string;
  readonly at_us: number;
}

export interface Mute {
  readonly op: "call.mute";
}

export interface NotReady {
  readonly op: "seat.not_ready";
  readonly reason: string;
}

export interface Notice {
  readonly type: "notice";
  readonly seat: string;
  readonly code: string;
  readonly message: string;
}

export interface OpenPhone {
  readonly op: "seat.phone";
  readonly secret: string;
}

export interface Participant {
  readonly leg: string;
  readonly role: Role;
  readonly label: string;
  readonly state: LegState;
  readonly since_us: number;
  /** The phone itself has put the call on hold (话机保持). */
  readonly is_on_hold?: boolean;
  readonly actions?: ReadonlyArray<Action>;
  /** Of a supervisor: their phone; of everybody else "" */
  readonly phone?: string;
  /** Of a supervisor: the seat whose call it is. */
  readonly watches?: string;
  /** Of a supervisor: listen, whisper, barge or take_over (`Oversight`). */
  readonly oversight?: string;
  /** Supervisors alone are shown this one. */
  readonly is_hidden?: boolean;
}

export interface PauseRecording {
  readonly op: "recording.pause";
}

export type Phase = "conference" | "dialling" | "ended" | "greeting" | "held" | "queued" | "rating" | "ringing" | "talking";

export interface Pop {
  readonly type: "pop";
  readonly seat: string;
  readonly context: CallerContext;
}

export interface Queue {
  readonly name: string;
  readonly title?: string;
  readonly waiting?: number;
  /** When the longest waiting caller joined; 0 when nobody waits. */
  readonly oldest_us?: number;
  readonly signed_in?: number;
  readonly ready?: number;
  readonly talking?: number;
  readonly answered?: number;
  /** answered within the service level */
  readonly in_time?: number;
  readonly abandoned?: number;
  readonly short_abandoned?: number;
  /** turned away because too many waited */
  readonly overflow?: number;
  /** turned away outside its hours */
  readonly closed?: number;
  /** 保位回呼: citizens who keep a place in it and will be called back; not counted in `waiting` */
  readonly callbacks?: number;
}

export interface QueuePush {
  readonly type: "queue";
  readonly queue: Queue;
}

export interface RaiseHand {
  readonly op: "seat.raise_hand";
}

export interface Rate {
  readonly op: "call.rate";
}

export interface Ready {
  readonly op: "seat.ready";
}

export interface Requeue {
  readonly op: "call.requeue";
}

export interface ResumeRecording {
  readonly op: "recording.resume";
}

export interface Retrieve {
  readonly op: "call.retrieve";
}

export type Role = "citizen" | "seat" | "supervisor" | "third_party";

export interface Seat {
  readonly id: string;
  readonly state: SeatState;
  readonly since_us: number;
  readonly agent?: string;
  readonly agent_name?: string;
  readonly reason?: string;
  readonly phone_up?: boolean;
  /** 举手 since then; 0: no hand is raised. */
  readonly hand_us?: number;
  /** 申请休息 since then, for `rest_reason`, and nobody has decided; 0: nothing is asked for. */
  readonly rest_us?: number;
  readonly rest_reason?: string;
  /** Rests, or will after its call, for a reason that needs approval: it counts against the limit. */
  readonly is_resting?: boolean;
  readonly is_muted?: boolean;
  /** Asked for during a call, to hold after it; "" for what always follows (整理). */
  readonly next_state?: string;
  readonly next_reason?: string;
  readonly conversation?: string;
  /** The queues that it serves, by number. */
  readonly queues?: ReadonlyArray<string>;
  /** Of each of `queues`: of a queue's free seats those with the lowest ring. */
  readonly penalties?: ReadonlyArray<number>;
  /** 调配: a supervisor has said which queues, until the agent signs out. */
  readonly is_assigned?: boolean;
  readonly actions?: ReadonlyArray<Action>;
  /** What a supervisor may do to it now; nobody else is shown this. */
  readonly supervise?: ReadonlyArray<Action>;
}

export interface SeatPush {
  readonly type: "seat";
  readonly seat: Seat;
}

export type SeatState = "conference" | "consulting" | "dialling" | "held" | "not_ready" | "phone_down" | "ready" | "ringing" | "signed_out" | "talking" | "wrap_up";

export interface SignIn {
  readonly op: "seat.sign_in";
  readonly ready?: boolean;
  readonly force?: boolean;
}

export interface SignOut {
  readonly op: "seat.sign_out";
}

export interface Snapshot {
  readonly type: "snapshot";
  readonly seats?: ReadonlyArray<Seat>;
  readonly queues?: ReadonlyArray<Queue>;
  readonly conversations?: ReadonlyArray<Conversation>;
  readonly contexts?: ReadonlyArray<CallerContext>;
  readonly callbacks?: ReadonlyArray<Callback>;
  readonly linked?: boolean;
}

export interface SuperviseAnswerHand {
  readonly op: "supervise.answer_hand";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseBarge {
  readonly op: "supervise.barge";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseCancelCallback {
  readonly op: "supervise.cancel_callback";
  readonly why?: string;
  readonly conversation: string;
}

export interface SuperviseGrantRest {
  readonly op: "supervise.grant_rest";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseGrantRestOver {
  readonly op: "supervise.grant_rest_over";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseHangUp {
  readonly op: "supervise.hang_up";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseListen {
  readonly op: "supervise.listen";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseMessage {
  readonly op: "supervise.message";
  readonly why?: string;
  readonly text: string;
  readonly seat?: string;
}

export interface SuperviseNotReady {
  readonly op: "supervise.not_ready";
  readonly why?: string;
  readonly seat: string;
  readonly reason: string;
}

export interface SupervisePick {
  readonly op: "supervise.pick";
  readonly why?: string;
  readonly conversation: string;
  readonly seat: string;
}

export interface SuperviseQueues {
  readonly op: "supervise.queues";
  readonly why?: string;
  readonly seat: string;
  readonly queues?: Readonly<Record<string, number>>;
}

export interface SuperviseRaise {
  readonly op: "supervise.raise";
  readonly why?: string;
  readonly conversation: string;
}

export interface SuperviseReady {
  readonly op: "supervise.ready";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseRefuseRest {
  readonly op: "supervise.refuse_rest";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseSignOut {
  readonly op: "supervise.sign_out";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseStop {
  readonly op: "supervise.stop";
  readonly why?: string;
}

export interface SuperviseTakeOver {
  readonly op: "supervise.take_over";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseWhisper {
  readonly op: "supervise.whisper";
  readonly why?: string;
  readonly seat: string;
}

export interface SuperviseWrapUp {
  readonly op: "supervise.wrap_up";
  readonly why?: string;
  readonly seat: string;
}

export interface TakeUp {
  readonly op: "call.take_up";
}

export interface ThreeWay {
  readonly op: "call.three_way";
  readonly number?: string;
  readonly seat?: string;
  readonly agent?: string;
}

export interface Transfer {
  readonly op: "call.transfer";
  readonly number?: string;
  readonly seat?: string;
  readonly agent?: string;
  readonly queue?: string;
}

export interface Unmute {
  readonly op: "call.unmute";
}

export interface Withdraw {
  readonly op: "call.withdraw";
  readonly n: number;
}

export interface WithdrawRest {
  readonly op: "seat.withdraw_rest";
}

export interface WrapUp {
  readonly op: "seat.wrap_up";
}

/** What may be asked, and with which arguments. */
export interface Commands {
  readonly "call.complete": Omit<Complete, "op">;
  readonly "call.consult": Omit<Consult, "op">;
  readonly "call.dial": Omit<Dial, "op">;
  readonly "call.drop": Omit<Drop, "op">;
  readonly "call.hang_up": Omit<HangUp, "op">;
  readonly "call.hold": Omit<Hold, "op">;
  readonly "call.keys": Omit<Keys, "op">;
  readonly "call.leave": Omit<Leave, "op">;
  readonly "call.merge": Omit<Merge, "op">;
  readonly "call.mute": Omit<Mute, "op">;
  readonly "call.rate": Omit<Rate, "op">;
  readonly "call.requeue": Omit<Requeue, "op">;
  readonly "call.retrieve": Omit<Retrieve, "op">;
  readonly "call.take_up": Omit<TakeUp, "op">;
  readonly "call.three_way": Omit<ThreeWay, "op">;
  readonly "call.transfer": Omit<Transfer, "op">;
  readonly "call.unmute": Omit<Unmute, "op">;
  readonly "call.withdraw": Omit<Withdraw, "op">;
  readonly "emergency.call": Omit<EmergencyCall, "op">;
  readonly "recording.pause": Omit<PauseRecording, "op">;
  readonly "recording.resume": Omit<ResumeRecording, "op">;
  readonly "seat.lower_hand": Omit<LowerHand, "op">;
  readonly "seat.not_ready": Omit<NotReady, "op">;
  readonly "seat.phone": Omit<OpenPhone, "op">;
  readonly "seat.raise_hand": Omit<RaiseHand, "op">;
  readonly "seat.ready": Omit<Ready, "op">;
  readonly "seat.sign_in": Omit<SignIn, "op">;
  readonly "seat.sign_out": Omit<SignOut, "op">;
  readonly "seat.withdraw_rest": Omit<WithdrawRest, "op">;
  readonly "seat.wrap_up": Omit<WrapUp, "op">;
  readonly "supervise.answer_hand": Omit<SuperviseAnswerHand, "op">;
  readonly "supervise.barge": Omit<SuperviseBarge, "op">;
  readonly "supervise.cancel_callback": Omit<SuperviseCancelCallback, "op">;
  readonly "supervise.grant_rest": Omit<SuperviseGrantRest, "op">;
  readonly "supervise.grant_rest_over": Omit<SuperviseGrantRestOver, "op">;
  readonly "supervise.hang_up": Omit<SuperviseHangUp, "op">;
  readonly "supervise.listen": Omit<SuperviseListen, "op">;
  readonly "supervise.message": Omit<SuperviseMessage, "op">;
  readonly "supervise.not_ready": Omit<SuperviseNotReady, "op">;
  readonly "supervise.pick": Omit<SupervisePick, "op">;
  readonly "supervise.queues": Omit<SuperviseQueues, "op">;
  readonly "supervise.raise": Omit<SuperviseRaise, "op">;
  readonly "supervise.ready": Omit<SuperviseReady, "op">;
  readonly "supervise.refuse_rest": Omit<SuperviseRefuseRest, "op">;
  readonly "supervise.sign_out": Omit<SuperviseSignOut, "op">;
  readonly "supervise.stop": Omit<SuperviseStop, "op">;
  readonly "supervise.take_over": Omit<SuperviseTakeOver, "op">;
  readonly "supervise.whisper": Omit<SuperviseWhisper, "op">;
  readonly "supervise.wrap_up": Omit<SuperviseWrapUp, "op">;
}

export type Push = Alarm | CallbackGone | CallbackPush | ContextPush | ConversationGone | ConversationPush | LinkPush | Message | Notice | Pop | QueuePush | SeatPush | Snapshot;
