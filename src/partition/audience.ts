/**
 * Who waits at a partition: for an offset, for anything new (delayed fetches), and the coordinator that lives in it. A
 * partition makes one when the first comes and lets go of it when the last has left: an idle one has none.
 *
 * Invariant: each waits for one thing, and is told of its end once; who is told may come or leave at that moment.
 */
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { TenantListener } from './ports.ts'
import type { OffsetWaiter } from './waiters.ts'
import { OffsetWaiters } from './waiters.ts'

/** A delayed fetch: told of everything that can end its wait. It removes itself. */
export interface Reader<Where> {
  /** The partition's high watermark or last stable offset moved. */
  moved(partition: Where): void
  /** The partition can't be read as before: another epoch, deleted, or its directory failed. */
  interrupted(partition: Where): void
}

export class Audience<Where> {
  #offsets: OffsetWaiters | undefined
  #readers: Set<Reader<Where>> | undefined
  #tenant: TenantListener | undefined
  #watchedFrom = -1

  get isEmpty(): boolean {
    return !this.hasWaiters && this.#tenant === undefined
  }

  get hasWaiters(): boolean {
    return this.#offsets !== undefined || this.#readers !== undefined
  }

  get awaitsOffset(): boolean {
    return this.#offsets !== undefined
  }

  awaitOffset(waiter: OffsetWaiter): void {
    this.#offsets ??= new OffsetWaiters()
    this.#offsets.add(waiter)
  }

  addReader(reader: Reader<Where>): void {
    this.#readers ??= new Set()
    this.#readers.add(reader)
  }

  removeReader(reader: Reader<Where>): void {
    this.#readers?.delete(reader)
    if (this.#readers?.size === 0) this.#readers = undefined
  }

  settle(tenant: TenantListener): void {
    this.#tenant = tenant
  }

  leave(tenant: TenantListener): void {
    if (this.#tenant === tenant) this.#tenant = undefined
  }

  endTenancy(): void {
    const tenant = this.#tenant
    this.#tenant = undefined
    tenant?.leadershipEnded()
  }

  /** Whether the log has yet to be asked to tell of the move past this high watermark: once for each value. */
  watches(highWatermark: number): boolean {
    if (this.#watchedFrom === highWatermark) return false
    this.#watchedFrom = highWatermark
    return true
  }

  /** Another log was not asked. */
  forgetWatch(): void {
    this.#watchedFrom = -1
  }

  /** A limit of `partition` moved; `isHigher`: its high watermark did. */
  moved(partition: Where, highWatermark: number, isHigher: boolean): void {
    const offsets = this.#offsets
    offsets?.release(highWatermark)
    if (offsets?.size === 0 && this.#offsets === offsets) this.#offsets = undefined
    if (isHigher) this.#tenant?.highWatermarkMoved(highWatermark)
    for (const reader of this.#readers ?? []) reader.moved(partition)
  }

  /** No offset that is awaited will be reached. */
  failOffsets(code: KafkaErrorCode): void {
    const offsets = this.#offsets
    this.#offsets = undefined
    offsets?.failAll(code)
  }

  interrupt(partition: Where): void {
    for (const reader of [...(this.#readers ?? [])]) reader.interrupted(partition)
  }
}
