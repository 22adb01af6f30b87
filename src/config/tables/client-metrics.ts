/**
 * Client metrics configs. Data only, in the notation of `../definition.ts`; read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | state | documentation
 */
export const clientMetricsConfigTable = `
interval.ms | INT | 300000 |  | medium | stored | How often a client sends its metrics, in milliseconds.
match | LIST |  | list | medium | stored | Clients that are asked for metrics, as name=pattern; empty for all.
metrics | LIST |  | list | medium | stored | Beginnings of the names of the metrics that are asked for.
`
