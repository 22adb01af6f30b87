/**
 * Heartbeat (12), versions 0 to 4: a member of a classic group is alive.
 *
 * Version 1 brought the throttle time, 3 static members, 4 the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 12, versions: '0-4', flexible: '4+' }

const heartbeatRequest = message('HeartbeatRequest', range, {
  groupId: string('0+'),
  generationId: int32('0+'),
  memberId: string('0+'),
  groupInstanceId: string('3+', { nullable: '3+', default: null }),
})

const heartbeatResponse = message('HeartbeatResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0+'),
})

export const heartbeat = api(heartbeatRequest, heartbeatResponse)
export type HeartbeatRequest = Message<typeof heartbeatRequest>
export type HeartbeatRequestInput = MessageInput<typeof heartbeatRequest>
export type HeartbeatResponse = Message<typeof heartbeatResponse>
export type HeartbeatResponseInput = MessageInput<typeof heartbeatResponse>
