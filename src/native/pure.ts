/**
 * Calls into the addon that need no runtime: the codecs of record batches, a hash, the regular expressions of
 * subscriptions. Pure functions: the same arguments give the same result, and nothing is kept.
 *
 * Each runs on the calling thread; what limits its memory and time is said beside it.
 */
import { binding } from './index.ts'
import type { CodecResult, MatchedNames } from './types.ts'

const GZIP = 1
const ZSTD = 4
/** Kafka's own. The other codecs take none, or mean nothing by it. */
const DEFAULT_LEVELS: Readonly<Record<number, number>> = { [GZIP]: -1, [ZSTD]: 3 }

/**
 * The records of a batch inflated. `codec`: bits 0-2 of the batch's attributes. Never makes more than `maxBytes`:
 * `Code.tooLarge` beyond them, `Code.corrupt` for bytes that the codec doesn't write, `Code.unknownCodec`.
 */
export const decompress = (codec: number, bytes: Uint8Array, maxBytes: number): CodecResult =>
  binding().decompress(codec, bytes, maxBytes)

/** The records of a batch compressed. `Code.unknownCodec` for a codec that there isn't. */
export const compress = (codec: number, bytes: Uint8Array, level = DEFAULT_LEVELS[codec] ?? 0): CodecResult =>
  binding().compress(codec, level, bytes)

/** XXH3 with 64 bits and seed 0, unsigned. */
export const xxh3 = (bytes: Uint8Array): bigint => binding().xxh3(bytes)

/**
 * What is wrong with the regular expression of a subscription, in RE2/J's words as Kafka's broker answers them;
 * undefined: nothing. docs/regex.md names what is refused here and not there. A few milliseconds at most.
 */
export const compileRegex = (pattern: string): string | undefined => binding().checkRegex(pattern) || undefined

/**
 * The topic names that `pattern` matches as a whole. In one call for all names: 100,000 of them take some 10 ms, and no
 * pattern takes more than a fraction of a second, because one that would is given up.
 */
export const matchRegex = (pattern: string, names: readonly string[]): MatchedNames => {
  if (names.length === 0) return { names: [], error: compileRegex(pattern) }
  const { error, indices } = binding().matchRegex(pattern, names.join('\n'))
  return { names: Array.from(indices, index => names[index] as string), error: error || undefined }
}
