/** Ids for new members of the classic protocol, in the form that Kafka gives them: who asks, then a random UUID. */
import { randomUuidBytes } from '../../../base/uuid.ts'
import type { Random } from '../../../host/host.ts'

/** Id and prefix have to fit into strings of 32767 bytes, and a client may bring a prefix as long. */
const PREFIX_MAX = 8192

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

/** `prefix` is the instance id of a static member, the client id of others. */
export function newMemberId(random: Random, prefix: string): string {
  const digits = hex(randomUuidBytes(random))
  const parts = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)]
  return `${beginning(prefix)}-${parts.join('-')}`
}

/** Never half a character: nobody could send that back. */
function beginning(prefix: string): string {
  const splits = prefix.length > PREFIX_MAX && (prefix.codePointAt(PREFIX_MAX - 1) as number) > 0xffff
  return prefix.slice(0, splits ? PREFIX_MAX - 1 : PREFIX_MAX)
}
