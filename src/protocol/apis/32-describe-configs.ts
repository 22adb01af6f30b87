/**
 * DescribeConfigs (32), versions 1 to 4: the configuration of topics, brokers and other resources.
 *
 * Version 3 brought types and documentation, 4 the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 32, versions: '1-4', flexible: '4+' }

const describeConfigsRequest = message('DescribeConfigsRequest', range, {
  resources: array('0+', {
    /** 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. */
    resourceType: int8('0+'),
    resourceName: string('0+'),
    /** null: all. */
    configurationKeys: array('0+', 'string', { nullable: '0+' }),
  }),
  includeSynonyms: bool('1+', { default: false }),
  includeDocumentation: bool('3+', { default: false }),
})

const describeConfigsResponse = message('DescribeConfigsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  results: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    /** 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. */
    resourceType: int8('0+'),
    resourceName: string('0+'),
    configs: array('0+', {
      name: string('0+'),
      value: string('0+', { nullable: '0+' }),
      readOnly: bool('0+'),
      /**
       * 1 topic, 2 broker, 3 default of all brokers, 4 static broker, 5 default, 6 broker logger, 7
       * client metrics, 8 group.
       */
      configSource: int8('1+', { default: -1, ignorable: true }),
      isSensitive: bool('0+'),
      /** All values that the key could have, the effective one first. */
      synonyms: array(
        '1+',
        {
          name: string('1+'),
          value: string('1+', { nullable: '0+' }),
          source: int8('1+'),
        },
        { ignorable: true },
      ),
      /** 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password; 0 unknown. */
      configType: int8('3+', { default: 0, ignorable: true }),
      documentation: string('3+', { nullable: '0+', ignorable: true }),
    }),
  }),
})

export const describeConfigs = api(describeConfigsRequest, describeConfigsResponse)
export type DescribeConfigsRequest = Message<typeof describeConfigsRequest>
export type DescribeConfigsRequestInput = MessageInput<typeof describeConfigsRequest>
export type DescribeConfigsResponse = Message<typeof describeConfigsResponse>
export type DescribeConfigsResponseInput = MessageInput<typeof describeConfigsResponse>
