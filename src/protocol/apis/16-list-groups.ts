/**
 * ListGroups (16), versions 0 to 5: the groups that this broker coordinates.
 *
 * Version 1 brought the throttle time, 3 the flexible encoding, 4 states and a filter of them, 5
 * types and a filter of them.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 16, versions: '0-5', flexible: '3+' }

const listGroupsRequest = message('ListGroupsRequest', range, {
  /** Empty: any. */
  statesFilter: array('4+', 'string'),
  /** Empty: any. */
  typesFilter: array('5+', 'string'),
})

const listGroupsResponse = message('ListGroupsResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
  groups: array('0+', {
    groupId: string('0+'),
    protocolType: string('0+'),
    groupState: string('4+', { ignorable: true }),
    groupType: string('5+', { ignorable: true }),
  }),
})

export const listGroups = api(listGroupsRequest, listGroupsResponse)
export type ListGroupsRequest = Message<typeof listGroupsRequest>
export type ListGroupsRequestInput = MessageInput<typeof listGroupsRequest>
export type ListGroupsResponse = Message<typeof listGroupsResponse>
export type ListGroupsResponseInput = MessageInput<typeof listGroupsResponse>
