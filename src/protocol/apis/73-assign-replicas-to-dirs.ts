/** AssignReplicasToDirs (73), version 0: a broker tells the controller in which of its directories replicas lie. */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, message, uuid } from '../schema.ts'

const range = { apiKey: 73, versions: '0', flexible: '0+' }

const assignReplicasToDirsRequest = message('AssignReplicasToDirsRequest', range, {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
  directories: array('0+', {
    id: uuid('0+'),
    topics: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
      }),
    }),
  }),
})

const assignReplicasToDirsResponse = message('AssignReplicasToDirsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  directories: array('0+', {
    id: uuid('0+'),
    topics: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  }),
})

export const assignReplicasToDirs = api(assignReplicasToDirsRequest, assignReplicasToDirsResponse)
export type AssignReplicasToDirsRequest = Message<typeof assignReplicasToDirsRequest>
export type AssignReplicasToDirsRequestInput = MessageInput<typeof assignReplicasToDirsRequest>
export type AssignReplicasToDirsResponse = Message<typeof assignReplicasToDirsResponse>
export type AssignReplicasToDirsResponseInput = MessageInput<typeof assignReplicasToDirsResponse>
