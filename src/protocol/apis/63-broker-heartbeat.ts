/**
 * BrokerHeartbeat (63), versions 0 to 2: a broker renews its lease with the controller.
 *
 * Version 1 brought offline log directories, 2 cordoned ones.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, int64, message } from '../schema.ts'

const range = { apiKey: 63, versions: '0-2', flexible: '0+' }

const brokerHeartbeatRequest = message('BrokerHeartbeatRequest', range, {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  /** The newest metadata that the broker has applied. */
  currentMetadataOffset: int64('0+'),
  wantFence: bool('0+'),
  wantShutDown: bool('0+'),
  offlineLogDirs: array('1+', 'uuid', { tagged: '1+', tag: 0 }),
  /** null: the broker cannot tell yet. */
  cordonedLogDirs: array('2+', 'uuid', { nullable: '2+', default: null, tagged: '2+', tag: 1 }),
})

const brokerHeartbeatResponse = message('BrokerHeartbeatResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  isCaughtUp: bool('0+', { default: false }),
  isFenced: bool('0+', { default: true }),
  shouldShutDown: bool('0+'),
})

export const brokerHeartbeat = api(brokerHeartbeatRequest, brokerHeartbeatResponse)
export type BrokerHeartbeatRequest = Message<typeof brokerHeartbeatRequest>
export type BrokerHeartbeatRequestInput = MessageInput<typeof brokerHeartbeatRequest>
export type BrokerHeartbeatResponse = Message<typeof brokerHeartbeatResponse>
export type BrokerHeartbeatResponseInput = MessageInput<typeof brokerHeartbeatResponse>
