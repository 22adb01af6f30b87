/** AlterPartitionReassignments: the controller decides. */
import {
  type AlterPartitionReassignmentsRequest,
  alterPartitionReassignments,
} from '../../protocol/apis/45-alter-partition-reassignments.ts'
import type { Handler } from '../context.ts'
import { forwarded } from '../forward.ts'

export const alterPartitionReassignmentsHandler: Handler<AlterPartitionReassignmentsRequest> = {
  apiKey: alterPartitionReassignments.key,
  handle: forwarded,
  failure: (_request, errorCode) => ({ errorCode, errorMessage: null, responses: [] }),
}
