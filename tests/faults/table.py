"""The fault suite: what is done to the plug-in and the engine, when, and what must hold then.

Always: the user's layers, selection and channels are what they were, or what the user has made of
them; no hidden image is left after the run that follows, no process after 3 s; what GIMP can undo
is one step or none; a run afterwards paints. And what ``holds`` says:

- "sentence: …": the user reads exactly one message, with these words in it, and gets no layer
- "result": the layer is there
- "ended": the plug-in is gone; "closed": the dialog has closed itself; "nothing": no word, no layer

``where``: "script" is a run without a dialog in real GIMP, "dialog" one with it, "serve" is
``styleengine serve`` alone, "client" the plug-in's half of the pipe alone. Rows in GIMP are run by
tests/gimp/test_faults.py. Other rows name the test that shows them. Standard library only, for rows
are run in GIMP's root, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lies import LIES

MOMENTS = ("greeting", "weights", "pixels", "painting", "result", "strip", "idle")
"""When: before the engine is ready; it loads its network; the layer's pixels are on their way to
it; it paints; its result is announced; in the middle of a strip of that; a dialog has its result.
"""

RUN_BY = {
    "batch_cases.py": "tests/gimp/test_batch.py::",
    "changing_cases.py": "tests/gimp/test_changing.py::",
    "gui_steps.py": "tests/gimp/test_gui.py::",
    "widget_cases.py": "tests/gimp/test_widgets.py::",
}
IN_GIMP = "tests/gimp/test_faults.py::test_fault"
CLOSED = "tests/gimp/changing_cases.py::case_the_image_is_closed"


@dataclass(frozen=True)
class Row:
    """A fault, and what must hold. ``every`` if it is tried in every run, not only by hand."""

    where: str
    moment: str
    fault: str
    holds: str
    proof: str = IN_GIMP
    every: bool = False

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.where}, {self.moment}: {self.fault}"

    def is_shown_by(self, test: str) -> bool:
        """Whether a test of this id is one of its proofs, perhaps for one GIMP of several."""
        if self.proof == IN_GIMP:
            return test.startswith(IN_GIMP) and test.endswith(f"-{self.name}]")
        path, _, name = self.proof.partition("::")
        if name.startswith(("case_", "step_")):  # within GIMP, run by a test beside it
            path = RUN_BY[path.rsplit("/", 1)[1]]
            return test.startswith(path) and f"-{name}" in test
        return test.startswith(self.proof)


KILLED, SILENT = "sentence: was killed", "sentence: answer"
PROCESSES = {
    "engine killed": KILLED,
    "engine stopped": SILENT,
    "engine stopped for a while": "result",
    "engine ends": "sentence: stopped while",
    "plug-in killed": "ended",
    "plug-in stopped for a while": "result",
    "GIMP killed": "ended",
    "GIMP stopped for a while": "result",
}
EDITS = (
    *("crop", "canvas size", "image scaled", "image turned", "image flipped"),
    *("layer to image size", "layer moved", "layer deleted", "layer painted over", "layer hidden"),
    *("layer locked", "layer into a group", "layer mask", "live filter", "merged", "greyscale"),
    *("palette", "precision", "profile", "selection", "channel deleted", "image closed", "undone"),
)
FULL = ("the plug-in's folder full", "the temporary folder full", "both folders full")
HOSTILE = (
    *("nonsense in every file of settings", "strange values in every file of settings"),
    *("pipes, folders and devices as settings", "a stranger's notes and results"),
)
EVERY = {
    ("script", "pixels", "engine killed"),
    ("script", "strip", "engine killed"),
    ("script", "result", "plug-in killed"),
    ("script", "painting", "plug-in killed, engine deaf"),
    ("script", "pixels", "precision"),
    ("script", "painting", "both folders full"),
    ("dialog", "painting", "engine killed"),
    ("dialog", "idle", "engine killed"),
    ("dialog", "result", "image closed"),
}
"""A few of each kind; the others by hand, for they take an hour for each GIMP.

A full temporary folder in the dialog is not among them: GIMP 3.2 ends there with any message that
it shows, as when this suite asks for an image that has just gone.
"""


def _in_gimp() -> Iterator[Row]:
    for where in ("script", "dialog"):
        for moment in MOMENTS:
            if moment == "idle" and where == "script":
                continue  # a script has ended then
            for fault, holds in PROCESSES.items():
                yield Row(where, moment, fault, _in_a_dialog(where, moment, fault, holds))
            if moment in ("greeting", "weights"):
                continue  # nothing of the image is read or written then
            for edit in EDITS:
                if edit == "undone" and where == "script":
                    continue  # its image has no window in which one undoes
                if edit == "image closed" and where == "script":
                    # GIMP keeps an image for a script that waits for what it has called with it.
                    yield Row(where, moment, edit, "result", CLOSED)
                elif (where, moment) != ("dialog", "strip"):  # the plug-in receives, as at "result"
                    yield Row(where, moment, edit, "closed" if edit == "image closed" else "result")
        for fault in FULL:
            yield Row(where, "painting", fault, "result")
        for moment in ("greeting", "painting"):
            yield Row(where, moment, "plug-in killed, engine deaf", "ended")
    for fault in HOSTILE:  # are there before the dialog opens
        yield Row("dialog", "idle", fault, "closed")
    for moment in MOMENTS[:-1]:
        # Nothing is painted yet while it greets: Escape means the dialog then.
        holds = "closed" if moment == "greeting" else "nothing"
        yield Row("dialog", moment, "cancelled", holds)
        yield Row("dialog", moment, "cancelled while the engine is stopped", holds)
        yield Row("dialog", moment, "window closed", "closed")


def _in_a_dialog(where: str, moment: str, fault: str, holds: str) -> str:
    if where == "dialog" and moment == "idle" and fault.startswith("engine"):
        return "nothing"  # nobody needs it; the next painting gets another
    return holds


ROWS = [
    Row(r.where, r.moment, r.fault, r.holds, r.proof, (r.where, r.moment, r.fault) in EVERY)
    for r in _in_gimp()
]

# --- rows that other tests show -------------------------------------------------------------------

_SERVER, _SERVE = "tests/test_server.py::test_", "tests/faults/test_serve.py::test_"
_FAULTS, _CLIENT = "tests/test_serving_faults.py::test_", "tests/test_client.py::test_"
_SESSION, _DISK = "tests/test_session.py::test_", "tests/test_disk.py::test_"
_BATCH, _CHANGING = "tests/gimp/batch_cases.py::case_", "tests/gimp/changing_cases.py::case_"
_ODD, _GUI = "tests/test_odd_pictures.py::test_", "tests/gimp/gui_steps.py::step_"
_CHOICE, _WIDGETS = "tests/test_choice.py::test_", "tests/gimp/widget_cases.py::case_"

SERVE = {
    ("greeting", "another protocol"): _SERVER + "another_protocol_is_answered",
    ("greeting", "torch cannot be loaded"): _SERVER + "a_torch_that_cannot_be_loaded_is_named",
    ("greeting", "no greeting"): _SERVER + "a_job_before_the_greeting_is_refused",
    ("greeting", "parent has died"): _FAULTS + "an_engine_whose_parent_died_before_it_began_ends",
    ("greeting", "stopped, and the parent dies"): _FAULTS + "a_stopped_engine_does_not_outlive",
    ("greeting", "disk full"): _SERVE + "a_full_disk_does_not_stop_a_painting",
    ("greeting", "bad plug-ins"): _SERVER + "broken_plug_ins_are_named_in_the_greeting",
    ("weights", "no file"): _FAULTS + "weights_that_are_no_file_are_refused_at_once",
    ("weights", "pipes in the engine's folder"): _FAULTS + "pipes_in_the_engines_own_folder",
    ("weights", "little memory"): _SERVE + "little_memory_is_said",
    ("weights", "a network that fails"): _SERVER + "a_network_that_cannot_be_loaded_ahead",
    ("pixels", "malformed job"): _SERVER + "a_malformed_job_is_refused_and_the_engine_lives",
    ("pixels", "a job that means harm"): _FAULTS + "a_job_that_means_harm_is_refused",
    ("pixels", "strips of odd numbers"): _FAULTS + "strips_of_odd_numbers_fail_their_job_only",
    ("pixels", "strips that do not fit"): _SERVER + "a_strip_that_does_not_fit_fails_its_job_only",
    ("pixels", "masks that are none"): _SERVER + "a_mask_that_is_none_fails_the_job",
    ("pixels", "too many jobs"): _FAULTS + "there_may_be_so_many_jobs",
    ("pixels", "too many bytes of styles"): _FAULTS + "too_many_bytes_of_styles_are_refused",
    ("pixels", "a style bomb"): _FAULTS + "a_style_bomb_is_painted_from_without_much_memory",
    ("pixels", "no frames"): _SERVER + "garbage_is_answered_and_ends_the_process",
    ("pixels", "the end inside a frame"): _SERVER + "an_end_inside_a_message_ends_the_engine",
    ("pixels", "stop"): _SERVER + "a_job_that_waits_or_still_arrives_can_be_dropped",
    ("pixels", "stopped for a while"): _SERVE + "an_engine_that_was_stopped_for_a_while_goes_on",
    ("pixels", "little memory"): _SERVE + "little_memory_is_said",
    ("pixels", "frames that are nearly right"): "tests/test_fuzzing.py::test_odd_frames",
    ("painting", "end of the stream"): _SERVER + "the_end_of_the_stream_ends_the_engine_in_the",
    ("painting", "stop"): _SERVER + "stop_drops_when_asked_to_and_the_next_job_runs",
    ("painting", "stop and keep"): _SERVER + "stop_keeps_what_there_is",
    ("painting", "parent killed"): _SERVER + "the_death_of_the_parent_ends_the_engine",
    ("painting", "stopped for a while"): _SERVE + "an_engine_that_was_stopped_for_a_while_goes",
    ("painting", "disk full"): _SERVE + "a_full_disk_does_not_stop_a_painting",
    ("painting", "little memory"): _SERVE + "little_memory_is_said",
    ("painting", "prints of a plug-in"): _SERVER + "prints_of_a_plug_in_do_not_get_into",
    ("painting", "not a number"): _SERVER + "a_loss_that_is_not_a_number_does_not_end_the_job",
    ("painting", "previews nobody looks at"): _SERVER + "no_preview_comes_before_the_last_one",
    ("result", "the reader goes"): _SERVER + "a_reader_that_goes_away_ends_the_engine",
    ("idle", "end of the stream"): _SERVER + "the_end_of_the_stream_ends_an_idle_engine",
    ("idle", "stopped for a while"): _SERVE + "an_engine_that_was_stopped_for_a_while_goes_on",
    ("idle", "jobs that have failed"): _FAULTS + "jobs_that_fail_on_arrival_leave_nothing_behind",
    ("idle", "200 runs"): _SERVE + "nothing_grows_in_many_runs",
}
CLIENT = {
    ("greeting", "no engine"): _BATCH + "engine_not_installed",
    ("greeting", "the engine's program is gone"): _BATCH + "engine_removed",
    ("greeting", "a bad engine.json"): _DISK + "a_bad_engine_json_is_said",
    ("greeting", "a program that anybody may change"): _DISK + "a_program_that_anybody_may",
    ("greeting", "an engine that dies"): _BATCH + "engine_dies_at_the_start",
    ("greeting", "an engine of another protocol"): _BATCH + "engine_of_another_protocol",
    ("painting", "no sign of life after a cancel"): _SESSION + "an_old_engine_without_a_sign",
    ("painting", "GIMP's own Cancel"): _GUI + "gimps_own_cancel_ends_the_engine",
    ("painting", "GIMP killed, engine quiet"): "tests/gimp/test_orphans.py::test_nothing_outlives",
    ("painting", "the network comes meanwhile"): _CHANGING + "an_engine_that_is_to_be_replaced",
    ("result", "plug-in killed, then the next"): _CHANGING + "what_a_dead_run_left_behind",
    ("result", "stopped while it comes"): _SESSION + "a_cancel_while_the_result_comes_in",
    ("idle", "engine killed"): _SESSION + "an_engine_that_has_ended_while_it_was_idle",
    ("idle", "mishap in a callback"): _WIDGETS + "a_mishap_in_a_callback_is_shown_once",
    ("idle", "disk full"): _DISK + "a_full_disk_loses_nothing_and_stops_nothing",
    ("idle", "1,000 runs"): "tests/gimp/test_long_runs.py::test_with_the_scripted_engine",
    ("idle", "50 runs"): "tests/gimp/test_long_runs.py::test_with_the_real_engine",
}
INPUT = {
    "a note that names strangers' files": _BATCH + "a_note_of_a_stranger_has_no_file_read",
    "a note that names files, in the dialog": _GUI + "what_a_strangers_layer_names_is_read_only",
    "a note that makes no sense": _BATCH + "a_note_that_makes_no_sense_is_none",
    "a hostile note": _CHOICE + "a_hostile_note_names_what_it_likes_and_is_cut_short",
    "a tattoo that is none": _CHOICE + "a_tattoo_that_is_none",
    "settings that no widget takes": _DISK + "json_that_no_widget_takes_is_refused",
    "settings, lists and presets of nonsense": _DISK + "a_file_that_makes_no_sense_is_put_aside",
    "settings that are pipes and devices": _DISK + "what_is_no_regular_file_is_never_opened",
    "a log that cannot be written": _DISK + "a_log_that_cannot_be_written_goes_where_nobody",
    "addresses that are no files": _DISK + "only_local_files_have_a_path",
    "settings of any number": _FAULTS + "settings_of_any_number",
    "arguments: no style": _BATCH + "no_style",
    "arguments: blends, places": _BATCH + "several_styles_and_their_places",
    "arguments: what is held": _BATCH + "what_a_channel_holds",
    "a style that is no file": _BATCH + "a_style_that_is_no_regular_file_is_said",
    "a style that is a pipe, or huge": _BATCH + "a_huge_file_and_a_pipe_as_the_style",
    "a style that is empty": _BATCH + "an_empty_style",
    "a style that nobody opens": _BATCH + "a_file_that_nobody_opens",
    "a style that only GIMP opens": _BATCH + "files_that_only_gimp_opens_are_the_same",
    "a style layer that is huge": _BATCH + "a_huge_style_layer_is_reduced",
    "a style that GIMP opens, changed meanwhile": _CHANGING + "a_file_that_gimp_opens_is_seen",
    "a style layer that is edited": _CHANGING + "a_style_layer_is_read_whatever_happens",
    "a channel that is edited": _CHANGING + "the_place_of_a_style_is_read_whatever_happens",
    "a channel after the click": _CHANGING + "the_place_of_a_style_is_that_of_the_click",
    "a selection that is edited": _CHANGING + "the_selection_is_copied_whatever_happens_to_it",
    "a layer that is edited at each step": _CHANGING + "the_layer_is_read_whatever_happens_to_it",
    "a layer that goes anywhere": _CHANGING + "the_painting_follows_its_layer",
    "a layer that cannot be followed": _CHANGING + "what_cannot_be_followed_is_said",
    "a PNG of damaged side chunks": _ODD + "a_wrong_checksum_beside_the_pixels_is_no_damage",
    "a PNG of damaged pixels": _ODD + "the_pixels_of_a_png_must_be_right_and_complete",
    "a JPEG without its end": _ODD + "a_jpeg_without_its_end_marker_is_whole",
    "a JPEG cut in its rows": _ODD + "a_jpeg_cut_inside_its_rows_is_not",
    "byte counts that lie": _ODD + "byte_counts_that_lie",
    "raw data of a camera": _ODD + "raw_data_of_a_camera_gets_a_sentence",
    "a thousand packed texts": _ODD + "a_thousand_packed_texts_are_unpacked_once",
    "a style bomb": _ODD + "a_style_bomb_takes_little_memory",
    "layers in all precisions": _BATCH + "rgb_with_alpha_in_all_precisions",
    "a layer of one pixel": _BATCH + "one_pixel",
    "a group": _BATCH + "a_group",
    "an empty group": _BATCH + "an_empty_group",
    "a text layer": _BATCH + "a_text_layer",
    "a vector layer": _BATCH + "a_vector_layer",
    "locked and hidden layers": _BATCH + "locked_and_hidden_layers",
    "filters that reach beyond": _BATCH + "filters_that_reach_beyond_the_layer",
    "groups with shadows": _BATCH + "groups_with_shadows",
    "a floating selection": _BATCH + "a_floating_selection",
    "a selection beside the layer": _BATCH + "a_selection_beside_the_layer",
    "an indexed image": _BATCH + "an_indexed_image_gets_a_new_rgb_image",
    "no layer, two layers": _BATCH + "two_layers",
    "a channel as layer": _BATCH + "a_channel",
    "colour profiles of tables": _BATCH + "lut_profile_u8",
}


def _elsewhere() -> Iterator[Row]:
    for where, rows in (("serve", SERVE), ("client", CLIENT)):
        for (moment, fault), proof in rows.items():
            yield Row(where, moment, fault, "as its test says", proof)
    for what, proof in INPUT.items():
        yield Row("input", "pixels", what, "as its test says", proof)
    for name, lie in LIES.items():
        moment = {"ready": "greeting", "end": "strip"}.get(lie.moment, lie.moment)
        fault = f"lie: {name}"
        yield Row(
            "client", moment, fault, lie.holds, f"tests/faults/test_lies.py::test_lie[{name}]"
        )


ROWS += _elsewhere()
