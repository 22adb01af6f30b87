/** New ids in the form that Kafka gives its own: version 4, and never a leading dash, which tools would take for a flag. */
import { uuidFromBytes } from '../base/uuid.ts'
import type { Random } from '../host/host.ts'

export function randomUuid(random: Random): string {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const text = uuidFromBytes(bytes)
    if (!text.startsWith('-')) return text
  }
}
