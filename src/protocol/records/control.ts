/** Key of every control record, and the value of transaction markers. */
import type { Message, MessageInput } from '../schema.ts'
import { int16, int32, message } from '../schema.ts'

/** The key, behind its int16 version: what kind of control record it is. */
export const controlRecordTypeSchema = message(
  'ControlRecordTypeSchema',
  { versions: '0', flexible: 'none' },
  {
    /** 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 kraft.version, 6 voters. */
    type: int16('0+'),
  },
)
export type ControlRecordTypeSchema = Message<typeof controlRecordTypeSchema>
export type ControlRecordTypeSchemaInput = MessageInput<typeof controlRecordTypeSchema>

/** The value of a commit or abort marker, behind its int16 version. */
export const endTxnMarker = message(
  'EndTxnMarker',
  { versions: '0', flexible: 'none' },
  {
    coordinatorEpoch: int32('0+'),
  },
)
export type EndTxnMarker = Message<typeof endTxnMarker>
export type EndTxnMarkerInput = MessageInput<typeof endTxnMarker>
