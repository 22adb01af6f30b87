/**
 * IncrementalAlterConfigs (44), versions 0 to 1: changes single configs of each resource; the controller does it.
 *
 * Version 1 brought the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 44, versions: '0-1', flexible: '1+' }

const incrementalAlterConfigsRequest = message('IncrementalAlterConfigsRequest', range, {
  resources: array('0+', {
    /** 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. */
    resourceType: int8('0+'),
    /** Empty, of a broker: the default of all. */
    resourceName: string('0+'),
    configs: array('0+', {
      name: string('0+'),
      /** 0 set, 1 delete, 2 append to a list, 3 subtract from it. */
      configOperation: int8('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  /** Check, and change nothing. */
  validateOnly: bool('0+'),
})

const incrementalAlterConfigsResponse = message('IncrementalAlterConfigsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  responses: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    resourceType: int8('0+'),
    resourceName: string('0+'),
  }),
})

export const incrementalAlterConfigs = api(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse)
export type IncrementalAlterConfigsRequest = Message<typeof incrementalAlterConfigsRequest>
export type IncrementalAlterConfigsResponse = Message<typeof incrementalAlterConfigsResponse>
export type IncrementalAlterConfigsResponseInput = MessageInput<typeof incrementalAlterConfigsResponse>
