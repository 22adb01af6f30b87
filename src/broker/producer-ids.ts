/**
 * Producer ids for idempotent producers: taken from blocks that the controller hands out, so that an id is never used
 * twice in the cluster, restarts included.
 */

import type { AllocateProducerIdsResponse } from '../protocol/apis/67-allocate-producer-ids.ts'
import { allocateProducerIds } from '../protocol/apis/67-allocate-producer-ids.ts'
import type { ControllerPort, ProducerIdPort } from './context.ts'

export class ProducerIds implements ProducerIdPort {
  readonly #controller: ControllerPort
  readonly #brokerId: number
  readonly #brokerEpoch: () => number
  #next = 0n
  #end = 0n
  /** The request for the next block, shared by all that wait for it. */
  #allocation: Promise<number> | undefined

  constructor(controller: ControllerPort, brokerId: number, brokerEpoch: () => number) {
    this.#controller = controller
    this.#brokerId = brokerId
    this.#brokerEpoch = brokerEpoch
  }

  async next(): Promise<{ errorCode: number; producerId: bigint }> {
    while (this.#next === this.#end) {
      this.#allocation ??= this.#allocate()
      const errorCode = await this.#allocation
      if (errorCode !== 0) return { errorCode, producerId: -1n }
    }
    return { errorCode: 0, producerId: this.#next++ }
  }

  async #allocate(): Promise<number> {
    try {
      const { key, maxVersion } = allocateProducerIds
      const request = { brokerId: this.#brokerId, brokerEpoch: this.#brokerEpoch() }
      const response = await this.#controller.handle(key, maxVersion, request, { clientId: null })
      const { errorCode, producerIdStart, producerIdLen } = response as AllocateProducerIdsResponse
      if (errorCode === 0) {
        this.#next = producerIdStart
        this.#end = producerIdStart + BigInt(producerIdLen)
      }
      return errorCode
    } finally {
      this.#allocation = undefined
    }
  }
}
