/**
 * JoinGroup (11), versions 0 to 9: become a member of the next generation of a classic group.
 *
 * Version 1 brought the rebalance timeout, 2 the throttle time, 4 the second round in which a new member comes back
 * with the id it was given, 5 static members, 6 the flexible encoding, 7 the protocol type in the answer, 8 a reason, 9
 * leaders that need not assign.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, bytes, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 11, versions: '0-9', flexible: '6+' }

const joinGroupRequest = message('JoinGroupRequest', range, {
  groupId: string('0+'),
  sessionTimeoutMs: int32('0+'),
  /** -1: as the session timeout. */
  rebalanceTimeoutMs: int32('1+', { default: -1, ignorable: true }),
  /** Empty: not yet a member. */
  memberId: string('0+'),
  groupInstanceId: string('5+', { nullable: '5+', default: null }),
  protocolType: string('0+'),
  /** By preference. */
  protocols: array('0+', {
    name: string('0+'),
    metadata: bytes('0+'),
  }),
  reason: string('8+', { nullable: '8+', default: null, ignorable: true }),
})

const joinGroupResponse = message('JoinGroupResponse', range, {
  throttleTimeMs: int32('2+', { ignorable: true }),
  errorCode: int16('0+'),
  generationId: int32('0+', { default: -1 }),
  protocolType: string('7+', { nullable: '7+', default: null, ignorable: true }),
  /** null, before version 7 empty: none. */
  protocolName: string('0+', { nullable: '7+' }),
  leader: string('0+'),
  skipAssignment: bool('9+', { default: false }),
  memberId: string('0+'),
  /** All members for the leader, none for the others. */
  members: array('0+', {
    memberId: string('0+'),
    groupInstanceId: string('5+', { nullable: '5+', default: null, ignorable: true }),
    metadata: bytes('0+'),
  }),
})

export const joinGroup = api(joinGroupRequest, joinGroupResponse)
export type JoinGroupRequest = Message<typeof joinGroupRequest>
export type JoinGroupRequestInput = MessageInput<typeof joinGroupRequest>
export type JoinGroupResponse = Message<typeof joinGroupResponse>
export type JoinGroupResponseInput = MessageInput<typeof joinGroupResponse>
