/**
 * Who waits for what it saw to be committed: an operation with its answer, or a read.
 *
 * Invariants: each is told once how it ended, `committed` or `reverted`; the answer leaves at most once, and `settled`
 * of an outcome is called exactly once, however the answer fared. What they call may begin new operations.
 */
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { Refusal } from './shard.ts'

/** Where the end of an operation is told; exactly one of the two is called, once. */
export interface Answer<T> {
  answer(response: T): void
  refuse(refusal: unknown): void
}

export interface Waiting {
  /** When patience ends, on the monotonic clock; Infinity: never. */
  readonly deadlineMs: number
  committed(): void
  /** Everything it saw since the last commit was taken back. */
  reverted(refusal: Refusal): void
  /** Patience has ended; how it ends is still to come. */
  expired(refusal: Refusal): void
}

export class WaitingWrite<T> implements Waiting {
  readonly deadlineMs: number
  readonly #response: T
  readonly #settled: ((code: KafkaErrorCode) => void) | undefined
  #answer: Answer<T> | undefined

  constructor(
    deadlineMs: number,
    response: T,
    settled: ((code: KafkaErrorCode) => void) | undefined,
    answer: Answer<T>,
  ) {
    this.deadlineMs = deadlineMs
    this.#response = response
    this.#settled = settled
    this.#answer = answer
  }

  committed(): void {
    this.#settled?.(ErrorCode.NONE)
    this.#take()?.answer(this.#response)
  }

  reverted(refusal: Refusal): void {
    this.#settled?.(refusal.code)
    this.#take()?.refuse(refusal)
  }

  expired(refusal: Refusal): void {
    this.#take()?.refuse(refusal)
  }

  #take(): Answer<T> | undefined {
    const answer = this.#answer
    this.#answer = undefined
    return answer
  }
}

/** An operation that said no, because of what it saw. */
export class WaitingRefusal implements Waiting {
  readonly deadlineMs = Number.POSITIVE_INFINITY
  readonly #refusal: Refusal
  readonly #answer: Answer<never>

  constructor(refusal: Refusal, answer: Answer<never>) {
    this.#refusal = refusal
    this.#answer = answer
  }

  committed(): void {
    this.#answer.refuse(this.#refusal)
  }

  reverted(refusal: Refusal): void {
    this.#answer.refuse(refusal)
  }

  expired(): void {}
}

/** A read, with what it will say; runs again when what it saw is taken back. */
export class WaitingRead implements Waiting {
  readonly deadlineMs = Number.POSITIVE_INFINITY
  readonly #say: () => void
  readonly #again: () => void

  constructor(say: () => void, again: () => void) {
    this.#say = say
    this.#again = again
  }

  committed(): void {
    this.#say()
  }

  reverted(): void {
    this.#again()
  }

  expired(): void {}
}
