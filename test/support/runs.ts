/**
 * How long properties are tried. `ODRADEK_RUNS=20 npm test -- test/coordinator` tries twenty times as many histories as
 * usual, `ODRADEK_SEED=n` those that the run had which printed this seed when it failed.
 */
export function runs(usual: number): { numRuns: number; seed?: number; includeErrorInReport: true } {
  const { ODRADEK_RUNS, ODRADEK_SEED } = process.env
  const numRuns = Math.ceil(usual * Number(ODRADEK_RUNS ?? 1))
  const tried = { numRuns, includeErrorInReport: true } as const
  return ODRADEK_SEED === undefined ? tried : { ...tried, seed: Number(ODRADEK_SEED) }
}

/** What a run that draws from one seed begins with: `usual`, unless ODRADEK_SEED says otherwise. */
export function seed(usual: number): number {
  return Number(process.env.ODRADEK_SEED ?? usual)
}
