/**
 * Answers of many questions in one request, in the order of the questions. Only an answer that must be waited for costs
 * a promise: a request may hold half a million questions of which each is refused at once.
 */
export class Answers {
  readonly #awaited: Promise<void>[] = []

  /** Puts the answer at the end of `list`, now or when it comes. */
  add<Answer extends object>(list: Answer[], answer: Answer | Promise<Answer>): void {
    if (!(answer instanceof Promise)) {
      list.push(answer)
      return
    }
    const index = list.push(undefined as never) - 1
    this.#awaited.push(
      answer.then(come => {
        list[index] = come
      }),
    )
  }

  /** Resolves when every answer has come. */
  async all(): Promise<void> {
    await Promise.all(this.#awaited)
  }
}
