/**
 * Tasks of which so many run at once, in the order in which they came.
 *
 * Invariant: a task that fails has said so itself; it must not throw.
 */
export class TaskQueue<Task> {
  readonly #atOnce: number
  readonly #carryOut: (task: Task) => Promise<void>
  #queue: Task[] = []
  /** Tasks of the queue that have been taken. */
  #taken = 0
  #running = 0
  #idleWaiting: (() => void)[] = []

  constructor(atOnce: number, carryOut: (task: Task) => Promise<void>) {
    this.#atOnce = atOnce
    this.#carryOut = carryOut
  }

  add(task: Task): void {
    if (this.#running < this.#atOnce) void this.#run(task)
    else this.#queue.push(task)
  }

  /** Resolves when nothing runs and nothing waits. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise(resolve => this.#idleWaiting.push(resolve))
  }

  async #run(first: Task): Promise<void> {
    this.#running++
    for (let task: Task | undefined = first; task !== undefined; task = this.#next()) await this.#carryOut(task)
    if (--this.#running > 0) return
    const waiting = this.#idleWaiting
    this.#idleWaiting = []
    for (const resolve of waiting) resolve()
  }

  /** From an index, because taking the first of a long array moves all the others. */
  #next(): Task | undefined {
    const task = this.#queue[this.#taken]
    if (task !== undefined) {
      this.#taken++
      return task
    }
    this.#queue = []
    this.#taken = 0
    return undefined
  }
}
