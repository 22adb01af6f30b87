/**
 * DescribeGroups (15), versions 0 to 6: the state and the members of classic groups.
 *
 * Version 1 brought the throttle time, 3 authorized operations, 4 static members, 5 the flexible encoding, 6
 * GROUP_ID_NOT_FOUND with a message; before it an unknown group reads as a dead one.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, bytes, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 15, versions: '0-6', flexible: '5+' }

/** What a field of authorized operations says when nobody asked for it. */
const NOT_ASKED = -2147483648

const describeGroupsRequest = message('DescribeGroupsRequest', range, {
  groups: array('0+', 'string'),
  includeAuthorizedOperations: bool('3+'),
})

const describeGroupsResponse = message('DescribeGroupsResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  groups: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('6+', { nullable: '6+', default: null }),
    groupId: string('0+'),
    groupState: string('0+'),
    protocolType: string('0+'),
    /** The protocol chosen; empty unless the group is stable. */
    protocolData: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: string('4+', { nullable: '4+', default: null, ignorable: true }),
      clientId: string('0+'),
      clientHost: string('0+'),
      /** Empty unless the group is stable, as is the assignment. */
      memberMetadata: bytes('0+'),
      memberAssignment: bytes('0+'),
    }),
    /** A bit per operation; the smallest int32 when nobody asked. */
    authorizedOperations: int32('3+', { default: NOT_ASKED }),
  }),
})

export const describeGroups = api(describeGroupsRequest, describeGroupsResponse)
export type DescribeGroupsRequest = Message<typeof describeGroupsRequest>
export type DescribeGroupsRequestInput = MessageInput<typeof describeGroupsRequest>
export type DescribeGroupsResponse = Message<typeof describeGroupsResponse>
export type DescribeGroupsResponseInput = MessageInput<typeof describeGroupsResponse>
