/** ListPartitionReassignments: the controller knows. */
import {
  type ListPartitionReassignmentsRequest,
  listPartitionReassignments,
} from '../../protocol/apis/46-list-partition-reassignments.ts'
import type { Handler } from '../context.ts'
import { forwardToController } from '../forward.ts'

export const listPartitionReassignmentsHandler: Handler<ListPartitionReassignmentsRequest> = {
  apiKey: listPartitionReassignments.key,
  handle: (context, request) => forwardToController(context, request, request.timeoutMs),
  failure: (_request, errorCode) => ({ errorCode, errorMessage: null, topics: [] }),
}
