/**
 * DeleteGroups (42), versions 0 to 2: forget groups without members, and their offsets.
 *
 * Version 2 brought the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 42, versions: '0-2', flexible: '2+' }

const deleteGroupsRequest = message('DeleteGroupsRequest', range, {
  groupsNames: array('0+', 'string'),
})

const deleteGroupsResponse = message('DeleteGroupsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  results: array('0+', {
    groupId: string('0+'),
    errorCode: int16('0+'),
  }),
})

export const deleteGroups = api(deleteGroupsRequest, deleteGroupsResponse)
export type DeleteGroupsRequest = Message<typeof deleteGroupsRequest>
export type DeleteGroupsRequestInput = MessageInput<typeof deleteGroupsRequest>
export type DeleteGroupsResponse = Message<typeof deleteGroupsResponse>
export type DeleteGroupsResponseInput = MessageInput<typeof deleteGroupsResponse>
