/**
 * AlterConfigs (33), versions 0 to 2: replaces all configs of each resource; the controller does it.
 *
 * Superseded by IncrementalAlterConfigs (44): what a request leaves out is lost. Version 2
 * brought the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 33, versions: '0-2', flexible: '2+' }

const alterConfigsRequest = message('AlterConfigsRequest', range, {
  resources: array('0+', {
    /** 2 topic, 4 broker, 16 client metrics, 32 group. */
    resourceType: int8('0+'),
    /** Empty, of a broker: the default of all. */
    resourceName: string('0+'),
    configs: array('0+', {
      name: string('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  /** Check, and change nothing. */
  validateOnly: bool('0+'),
})

const alterConfigsResponse = message('AlterConfigsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  responses: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    resourceType: int8('0+'),
    resourceName: string('0+'),
  }),
})

export const alterConfigs = api(alterConfigsRequest, alterConfigsResponse)
export type AlterConfigsRequest = Message<typeof alterConfigsRequest>
export type AlterConfigsResponse = Message<typeof alterConfigsResponse>
export type AlterConfigsResponseInput = MessageInput<typeof alterConfigsResponse>
