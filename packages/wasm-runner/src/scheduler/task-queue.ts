/**
 * Which task is next: five priorities, first come first served inside each, and ageing, so
 * that nothing waits for ever. Pure: times are arguments.
 *
 * A task's weight is its priority plus a point for every `AGEING_MS` it has waited. All grow alike, so
 * inside a priority the oldest is the heaviest: five queues, and the heaviest head is next.
 */
export const TASK_PRIORITIES = { critical: 100, high: 75, normal: 50, low: 25, background: 1 } as const;
export type TaskPriority = keyof typeof TASK_PRIORITIES;
const PRIORITIES = Object.keys(TASK_PRIORITIES) as TaskPriority[]; // the keys are the type's

/** One point: after 99 s a background task goes before a critical one that comes only then. */
export const AGEING_MS = 1_000;

interface Waiting<T> {
  readonly task: T;
  readonly sinceMs: number;
}

/** First in, first out, without moving what is behind. */
class Line<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }
  get first(): T | undefined {
    return this.#items[this.#head];
  }
  push(item: T): void {
    this.#items.push(item);
  }
  shift(): T | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined; // for the collector: the array is cut only now and then
    this.#head += 1;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

export class TaskQueue<T> {
  readonly #lines: Readonly<Record<TaskPriority, Line<Waiting<T>>>> = {
    critical: new Line(),
    high: new Line(),
    normal: new Line(),
    low: new Line(),
    background: new Line(),
  };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `nowMs` MUST NOT be before that of an earlier call. */
  push(task: T, priority: TaskPriority, nowMs: number): void {
    this.#lines[priority].push({ task, sinceMs: nowMs });
    this.#size += 1;
  }

  /** The heaviest; of equals the one with the higher priority. */
  shift(nowMs: number): T | undefined {
    let [heaviest, weight]: [Line<Waiting<T>> | undefined, number] = [undefined, -Infinity];
    for (const priority of PRIORITIES) {
      const line = this.#lines[priority];
      if (line.first === undefined) continue;
      const found = TASK_PRIORITIES[priority] + (nowMs - line.first.sinceMs) / AGEING_MS;
      if (found > weight) [heaviest, weight] = [line, found];
    }
    if (heaviest === undefined) return undefined;
    this.#size -= 1;
    return heaviest.shift()?.task;
  }
}
