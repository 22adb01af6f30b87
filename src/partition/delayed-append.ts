/** An append with acks=all that is written and waits for the high watermark. */
import type { Appended, Log } from '../log/log.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { AppendSink } from './ports.ts'
import type { OffsetWaiter } from './waiters.ts'

export class DelayedAppend implements OffsetWaiter {
  readonly untilOffset: number
  readonly #result: Appended
  readonly #sink: AppendSink
  readonly #slot: number
  /** The log whose sync sends the prepared answer, if there is one. */
  readonly #log: Log
  readonly #present: () => Log | undefined

  constructor(result: Appended, sink: AppendSink, slot: number, log: Log, present: () => Log | undefined) {
    this.untilOffset = result.end
    this.#result = result
    this.#sink = sink
    this.#slot = slot
    this.#log = log
    this.#present = present
  }

  reached(code: KafkaErrorCode): void {
    // Of a log that was replaced nobody knows whether it was synced. Answered twice is answered once.
    const answered = this.#result.answered && code === 0 && this.#present() === this.#log
    const asItWas = code === 0 && answered === this.#result.answered
    this.#sink.appended(this.#slot, asItWas ? this.#result : { ...this.#result, code, answered })
  }
}
