/**
 * LeaveGroup (13), versions 0 to 5: members give up their membership of a classic group.
 *
 * Up to version 2 a request names one member, from 3 several, by their id or their instance id. Version 1 brought the
 * throttle time, 4 the flexible encoding, 5 a reason.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 13, versions: '0-5', flexible: '4+' }

const leaveGroupRequest = message('LeaveGroupRequest', range, {
  groupId: string('0+'),
  memberId: string('0-2'),
  members: array('3+', {
    /** Empty: whoever has the instance id. */
    memberId: string('3+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
    reason: string('5+', { nullable: '5+', default: null, ignorable: true }),
  }),
})

const leaveGroupResponse = message('LeaveGroupResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  members: array('3+', {
    memberId: string('3+'),
    groupInstanceId: string('3+', { nullable: '3+' }),
    errorCode: int16('3+'),
  }),
})

export const leaveGroup = api(leaveGroupRequest, leaveGroupResponse)
export type LeaveGroupRequest = Message<typeof leaveGroupRequest>
export type LeaveGroupRequestInput = MessageInput<typeof leaveGroupRequest>
export type LeaveGroupResponse = Message<typeof leaveGroupResponse>
export type LeaveGroupResponseInput = MessageInput<typeof leaveGroupResponse>
