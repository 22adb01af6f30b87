/**
 * AlterReplicaLogDirs (34), versions 1 and 2: moves replicas of this broker to other log
 * directories. Version 2 is flexible.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 34, versions: '1-2', flexible: '2+' }

const alterReplicaLogDirsRequest = message('AlterReplicaLogDirsRequest', range, {
  dirs: array('0+', {
    path: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', 'int32'),
    }),
  }),
})

const alterReplicaLogDirsResponse = message('AlterReplicaLogDirsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  results: array('0+', {
    topicName: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
    }),
  }),
})

export const alterReplicaLogDirs = api(alterReplicaLogDirsRequest, alterReplicaLogDirsResponse)
export type AlterReplicaLogDirsRequest = Message<typeof alterReplicaLogDirsRequest>
export type AlterReplicaLogDirsRequestInput = MessageInput<typeof alterReplicaLogDirsRequest>
export type AlterReplicaLogDirsResponse = Message<typeof alterReplicaLogDirsResponse>
export type AlterReplicaLogDirsResponseInput = MessageInput<typeof alterReplicaLogDirsResponse>
