/**
 * Appends that came while a partition's log is replaced by another, in their order.
 *
 * Invariant: each is carried out once, by `release`, or its sink hears why it was not.
 */
import type { Appended } from '../log/log.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { AppendSink } from './ports.ts'

export class HeldAppends {
  readonly #appends: (() => void)[] = []

  /** `append` tells 0 or why it was refused; `done` is called after it. */
  add(sink: AppendSink, slot: number, append: () => KafkaErrorCode, done?: () => void): void {
    this.#appends.push(() => {
      const refused = append()
      done?.()
      if (refused !== 0) sink.appended(slot, refusedAppend(refused))
    })
  }

  release(): void {
    for (const append of this.#appends) append()
  }
}

function refusedAppend(code: KafkaErrorCode): Appended {
  return {
    code,
    base: -1,
    end: -1,
    logAppendTime: -1,
    logStart: -1,
    bytesEnd: -1,
    oldestOpenTransaction: -1,
    closedTransactionFirst: -1,
    duplicate: false,
    answered: false,
    recordErrors: [],
  }
}
