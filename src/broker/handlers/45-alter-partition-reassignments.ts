/** AlterPartitionReassignments: the controller decides. */
import {
  type AlterPartitionReassignmentsRequest,
  alterPartitionReassignments,
} from '../../protocol/apis/45-alter-partition-reassignments.ts'
import type { Handler } from '../context.ts'
import { forwardToController } from '../forward.ts'

export const alterPartitionReassignmentsHandler: Handler<AlterPartitionReassignmentsRequest> = {
  apiKey: alterPartitionReassignments.key,
  handle: (context, request) => forwardToController(context, request, request.timeoutMs),
  failure: (_request, errorCode) => ({ errorCode, errorMessage: null, responses: [] }),
}
