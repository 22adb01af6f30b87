/**
 * BrokerRegistration (62), versions 0 to 4: a broker reports to the controller when it starts.
 *
 * Version 1 brought migration from ZooKeeper, 2 log directories, 3 the previous broker epoch, 4 features whose smallest
 * version is 0.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, int64, message, string, uint16, uuid } from '../schema.ts'

const range = { apiKey: 62, versions: '0-4', flexible: '0+' }

const brokerRegistrationRequest = message('BrokerRegistrationRequest', range, {
  brokerId: int32('0+'),
  clusterId: string('0+'),
  /** One per start of the broker process. */
  incarnationId: uuid('0+'),
  listeners: array('0+', {
    name: string('0+'),
    host: string('0+'),
    port: uint16('0+'),
    /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
    securityProtocol: int16('0+'),
  }),
  features: array('0+', {
    name: string('0+'),
    minSupportedVersion: int16('0+'),
    maxSupportedVersion: int16('0+'),
  }),
  rack: string('0+', { nullable: '0+' }),
  isMigratingZkBroker: bool('1+', { default: false }),
  logDirs: array('2+', 'uuid', { ignorable: true }),
  /** From the clean-shutdown file; -1: the stop was not clean. */
  previousBrokerEpoch: int64('3+', { default: -1, ignorable: true }),
})

const brokerRegistrationResponse = message('BrokerRegistrationResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
})

export const brokerRegistration = api(brokerRegistrationRequest, brokerRegistrationResponse)
export type BrokerRegistrationRequest = Message<typeof brokerRegistrationRequest>
export type BrokerRegistrationRequestInput = MessageInput<typeof brokerRegistrationRequest>
export type BrokerRegistrationResponse = Message<typeof brokerRegistrationResponse>
export type BrokerRegistrationResponseInput = MessageInput<typeof brokerRegistrationResponse>
