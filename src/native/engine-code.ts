/**
 * The engine's outcome codes, by the names of native/engine/src/error.rs; the numbers are that seam, and
 * test/native/layout.test.ts compares the two. They are not Kafka's: `src/log/` maps them.
 */
export const Code = {
  ok: 0,
  outOfRange: 1,
  corrupt: 2,
  tooLarge: 3,
  largerThanSegment: 4,
  badTimestamp: 5,
  outOfOrderSequence: 6,
  staleProducerEpoch: 7,
  badTransactionState: 8,
  noSpace: 9,
  directoryOffline: 10,
  unknownProducer: 11,
  unknownCodec: 12,
  badRecord: 13,
  staleLog: 14,
  offsetMismatch: 15,
  epochFenced: 16,
  damaged: 17,
  notFound: 18,
  badName: 19,
  locked: 20,
  inconsistentTopicId: 21,
  io: 22,
  oldMagic: 23,
  internal: 24,
  coordinatorFenced: 25,
  duplicateSequence: 26,
} as const

/**
 * A blocking call of the engine failed. `engineCode` is a number of `Code`; the message names the path and the remedy.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly engineCode: number

  constructor(engineCode: number, text: string) {
    super(text)
    this.engineCode = engineCode
  }
}
