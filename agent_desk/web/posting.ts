// Owns how a page's script asks the desk to do something: JSON out, the answer back, or why there is none.

const ANSWER_MS = 10000;

// `status` 0: no answer came. `said`: the desk's own sentence, "" for none. The message is for the agent.
export class NotDone extends Error {
  constructor(readonly status: number, readonly said: string) {
    super(said || (status ? "服务器没有接受，请刷新页面后再试" : "没有收到服务器的回答，请再试一次"));
  }
}

export async function post<T>(path: string, body: unknown, formWord: string): Promise<T> {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Form-Word": formWord },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch(() => null);
  const told = await answer?.json().catch(() => ({}));
  if (!answer?.ok) throw new NotDone(answer?.status ?? 0, told?.message ?? "");
  return told as T;
}
