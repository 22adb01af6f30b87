/** DescribeLogDirs (35), versions 1 to 5: what the log directories hold, and how much room is left for more. */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, int64, message, string } from '../schema.ts'

const range = { apiKey: 35, versions: '1-5', flexible: '2+' }

const describeLogDirsRequest = message('DescribeLogDirsRequest', range, {
  topics: array(
    '0+',
    {
      topic: string('0+'),
      partitions: array('0+', 'int32'),
    },
    { nullable: '0+' },
  ),
})

const describeLogDirsResponse = message('DescribeLogDirsResponse', range, {
  throttleTimeMs: int32('0+'),
  errorCode: int16('3+', { ignorable: true }),
  results: array('0+', {
    errorCode: int16('0+'),
    logDir: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        partitionSize: int64('0+'),
        offsetLag: int64('0+'),
        isFutureKey: bool('0+'),
      }),
    }),
    totalBytes: int64('4+', { ignorable: true, default: -1 }),
    usableBytes: int64('4+', { ignorable: true, default: -1 }),
    isCordoned: bool('5+', { ignorable: true }),
  }),
})

export const describeLogDirs = api(describeLogDirsRequest, describeLogDirsResponse)
export type DescribeLogDirsRequest = Message<typeof describeLogDirsRequest>
export type DescribeLogDirsRequestInput = MessageInput<typeof describeLogDirsRequest>
export type DescribeLogDirsResponse = Message<typeof describeLogDirsResponse>
export type DescribeLogDirsResponseInput = MessageInput<typeof describeLogDirsResponse>
