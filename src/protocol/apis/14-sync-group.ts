/**
 * SyncGroup (14), versions 0 to 5: the leader of a classic group hands in the assignments, every member takes its own.
 *
 * Version 1 brought the throttle time, 3 static members, 4 the flexible encoding, 5 the protocol in request and answer.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bytes, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 14, versions: '0-5', flexible: '4+' }

const syncGroupRequest = message('SyncGroupRequest', range, {
  groupId: string('0+'),
  generationId: int32('0+'),
  memberId: string('0+'),
  groupInstanceId: string('3+', { nullable: '3+', default: null }),
  /** null: not compared with the group's. */
  protocolType: string('5+', { nullable: '5+', default: null, ignorable: true }),
  /** null: not compared with the group's. */
  protocolName: string('5+', { nullable: '5+', default: null, ignorable: true }),
  /** Empty from all but the leader. */
  assignments: array('0+', {
    memberId: string('0+'),
    assignment: bytes('0+'),
  }),
})

const syncGroupResponse = message('SyncGroupResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  protocolType: string('5+', { nullable: '5+', default: null, ignorable: true }),
  protocolName: string('5+', { nullable: '5+', default: null, ignorable: true }),
  assignment: bytes('0+'),
})

export const syncGroup = api(syncGroupRequest, syncGroupResponse)
export type SyncGroupRequest = Message<typeof syncGroupRequest>
export type SyncGroupRequestInput = MessageInput<typeof syncGroupRequest>
export type SyncGroupResponse = Message<typeof syncGroupResponse>
export type SyncGroupResponseInput = MessageInput<typeof syncGroupResponse>
