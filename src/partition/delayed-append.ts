/** An append with acks=all that is written and waits for the high watermark. */
import type { Appended } from '../log/log.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { AppendSink } from './ports.ts'
import type { OffsetWaiter } from './waiters.ts'

export class DelayedAppend implements OffsetWaiter {
  readonly untilOffset: number
  readonly #result: Appended
  readonly #sink: AppendSink
  readonly #slot: number

  constructor(result: Appended, sink: AppendSink, slot: number) {
    this.untilOffset = result.end
    this.#result = result
    this.#sink = sink
    this.#slot = slot
  }

  reached(code: KafkaErrorCode): void {
    this.#sink.appended(this.#slot, code === 0 ? this.#result : { ...this.#result, code })
  }
}
