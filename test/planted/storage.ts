/**
 * Bugs in the log engine. They are built in by its feature `planted` and switched on by their names
 * (native/engine/src/planted.rs).
 */

/** A bug of the engine, and who has to notice it. */
export interface StorageBug {
  /** What `ODRADEK_PLANTED` has to say. */
  readonly name: string
  /** File of Rust tests, below native/. */
  readonly test: string
  /** The test that fails. */
  readonly red: string
}

const faults = 'engine/tests/faults.rs'
const leftovers = 'engine/tests/leftovers.rs'
const rot = 'engine/tests/rot.rs'
const images = 'proof/tests/images.rs'

export const inStorage: readonly StorageBug[] = [
  {
    name: 'acknowledge before sync',
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  {
    name: 'a sync covers what came later',
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  {
    name: 'a sync covers what was cut',
    test: images,
    red: 'nothing_is_lost_when_a_truncation_overtakes_a_sync_and_power_fails',
  },
  {
    name: 'retry a failed sync',
    test: faults,
    red: 'a_failed_sync_takes_the_directory_offline_and_is_never_retried',
  },
  {
    name: 'stay online after a failed sync',
    test: faults,
    red: 'a_failed_sync_takes_the_directory_offline_and_is_never_retried',
  },
  {
    name: "skip a folder's sync",
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  { name: 'roll before the names are synced', test: images, red: 'nothing_is_lost_when_power_fails_around_rolls' },
  {
    name: 'trust the index above the recovery point',
    test: images,
    red: 'nothing_is_lost_when_power_fails_around_recovery_points',
  },
  {
    name: 'trust a snapshot above the recovery point',
    test: faults,
    red: 'a_producer_snapshot_above_the_recovery_point_is_not_believed',
  },
  { name: 'trust zeros in an index', test: leftovers, red: 'index_files_longer_than_their_entries_are_built_anew' },
  {
    name: 'move the recovery point past unsynced indexes',
    test: leftovers,
    red: 'index_files_and_epochs_below_a_recovery_point_are_on_disk_themselves',
  },
  {
    name: 'move the recovery point past an error',
    test: images,
    red: 'leader_epochs_are_those_of_the_batches_after_a_power_cut',
  },
  {
    name: 'cut below the recovery point',
    test: faults,
    red: 'damage_below_the_recovery_point_cuts_nothing_and_names_file_and_byte',
  },
  {
    name: 'cut before the recovery point is lowered',
    test: images,
    red: 'nothing_is_lost_when_power_fails_around_truncations',
  },
  {
    name: 'keep a snapshot above a truncation',
    test: images,
    red: 'nothing_is_lost_when_power_fails_around_truncations',
  },
  {
    name: 'keep a snapshot without a segment',
    test: leftovers,
    red: 'producer_snapshots_without_a_segment_are_removed',
  },
  {
    name: 'skip the checksum in recovery',
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  {
    name: 'be off by one at a torn tail',
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  {
    name: 'leave the part of a write that failed',
    test: faults,
    red: 'a_full_disk_at_every_byte_leaves_a_log_that_goes_on',
  },
  {
    name: 'rename before the sync',
    test: images,
    red: 'nothing_is_lost_when_power_fails_around_recovery_points',
  },
  {
    name: 'remove segments before the start is on disk',
    test: images,
    red: 'segments_that_retention_lets_go_stay_whole_or_go_when_power_fails',
  },
  {
    name: 'write the recovery point before the start',
    test: leftovers,
    red: 'no_recovery_point_is_on_disk_before_the_start_that_lets_go_of_what_it_passes',
  },
  {
    name: 'keep the points of a deleted log',
    test: leftovers,
    red: 'a_topic_made_again_after_its_deletion_was_cut_short_opens_after_every_power_cut',
  },
  {
    name: 'answer a deletion before it is on disk',
    test: images,
    red: 'topics_are_there_or_gone_when_power_fails_around_their_creation_and_deletion',
  },
  {
    name: 'keep the clean-shutdown file',
    test: images,
    red: 'a_shutdown_that_power_interrupts_is_no_clean_one',
  },
  {
    name: 'lose the epoch file',
    test: leftovers,
    red: 'index_files_and_epochs_below_a_recovery_point_are_on_disk_themselves',
  },
  {
    name: 'answer one offset twice',
    test: images,
    red: 'nothing_is_lost_when_power_fails_while_logs_are_appended_to',
  },
  {
    name: 'find the timestamp of a deleted record',
    test: leftovers,
    red: 'the_largest_timestamp_is_found_when_the_log_starts_inside_a_batch',
  },
  {
    name: 'serve bytes of the disk unchecked',
    test: rot,
    red: 'a_batch_that_decayed_is_refused_by_file_and_byte_and_all_others_are_served',
  },
  {
    name: 'believe an index entry without a look at its batch',
    test: rot,
    red: 'an_index_that_decays_while_the_log_is_open_leads_nobody_astray',
  },
  {
    name: 'believe index files without their sums',
    test: rot,
    red: 'an_index_that_decayed_before_the_log_is_opened_is_built_anew',
  },
]
