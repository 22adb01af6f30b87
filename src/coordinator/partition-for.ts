/** Which partition of a coordinator's topic a key belongs to: as every Kafka client and tool computes it. */

/** Java's `String.hashCode` of `key` without its sign (the smallest int32 counts as 0), modulo `partitions`. */
export function partitionFor(key: string, partitions: number): number {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitions
}
