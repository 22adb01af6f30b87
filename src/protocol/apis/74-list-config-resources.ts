/**
 * ListConfigResources (74), versions 0 to 1: which resources have configs to be described.
 *
 * Version 0 lists client metrics alone; version 1 brought the other types.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 74, versions: '0-1', flexible: '0+' }

const listConfigResourcesRequest = message('ListConfigResourcesRequest', range, {
  /** Empty: all types. */
  resourceTypes: array('1+', 'int8'),
})

const listConfigResourcesResponse = message('ListConfigResourcesResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  configResources: array('0+', {
    resourceName: string('0+'),
    resourceType: int8('1+', { ignorable: true, default: 16 }),
  }),
})

export const listConfigResources = api(listConfigResourcesRequest, listConfigResourcesResponse)
export type ListConfigResourcesRequest = Message<typeof listConfigResourcesRequest>
export type ListConfigResourcesResponseInput = MessageInput<typeof listConfigResourcesResponse>
