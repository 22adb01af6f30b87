/** All conversations, by the file that their recorded answers are in. */
import type { Conversation } from '../../../support/conversation.ts'
import { admin } from './admin.ts'
import { classic } from './classic.ts'
import { consumer } from './consumer.ts'
import { migration } from './migration.ts'
import { offsets } from './offsets.ts'
import { atRandom } from './random.ts'
import { statics } from './static.ts'

export const conversations: Readonly<Record<string, readonly Conversation[]>> = {
  classic,
  static: statics,
  offsets,
  admin,
  consumer,
  migration,
  random: atRandom(8, 60),
}
