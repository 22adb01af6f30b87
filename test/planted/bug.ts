/** A bug that tests must notice: a small change of the sources, and who has to notice it. Types only. */
export interface PlantedBug {
  /** What is wrong with it planted. */
  readonly name: string
  /** Below src/. */
  readonly file: string
  /** Text that the file has once. */
  readonly from: string
  /** What stands there instead. */
  readonly to: string
  /** Test file, below test/. */
  readonly test: string
  /** Name of the test that fails, or the end of it where the name is put together. */
  readonly red: string
}
