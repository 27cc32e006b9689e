"""The pages in Firefox: what the tests ask of them in Chromium, asked again.

Not asked are what Firefox cannot tell or be told: shifts of the layout, fingers, a dark system, and
to run no scripts.
"""

import pytest
import test_browser
from playwright.sync_api import Locator, Page, sync_playwright
from test_browser import (  # noqa: F401
    installed,
    rerun,
    site,
    test_a_formula_is_copied_as_tex,
    test_a_link_shows_the_thing_to_which_it_leads,
    test_a_long_table_is_sorted_and_filtered,
    test_a_number_shows_what_it_rests_on,
    test_a_planted_violation_is_found,
    test_a_symbol_shows_its_meaning,
    test_a_threshold_decides_as_the_weight_does,
    test_a_wish_gives_the_weight_or_the_threshold,
    test_few_clicks_lead_from_the_front_page_to_what_is_wanted,
    test_figures_follow_the_switch_of_the_theme,
    test_formulas_are_set_in_the_face_that_is_shipped,
    test_no_line_of_the_explorer_crosses_a_label,
    test_no_table_of_text_scrolls_sideways_on_a_phone,
    test_one_slider_moves_both_boundaries,
    test_the_bells_are_drawn_as_counted_and_as_weighted,
    test_the_boundary_and_the_point_are_dragged,
    test_the_command_asks_for_what_stands_in_the_form,
    test_the_controls_of_the_explorer_stand_in_the_first_screen_with_what_they_move,
    test_the_explorer_shows_the_numbers_of_the_laws,
    test_the_explorer_tells_what_is_out_of_its_range_and_clamps_nothing_else,
    test_the_first_screen_holds_the_answer_what_shows_it_the_verdicts_and_three_ways_in,
    test_the_keyboard_moves_the_explorer_and_the_address_keeps_it,
    test_the_keyboard_reaches_everything,
    test_the_menu_of_downloads_is_opened_by_keys_and_closed,
    test_the_presets_have_the_imbalance_and_the_ranking_of_the_sets,
    test_the_search_finds_a_word,
    test_the_search_shows_sentences_and_chapters_first,
    test_three_keys_lead_to_the_first_slider,
    test_what_to_try_is_a_button,
    visit,
)
from test_desk import (  # noqa: F401
    call,
    desk,
    of_rows,
    page,
    rows,
    test_a_table_is_read_as_the_module_reads_it,
    test_a_table_that_cannot_be_read_is_told_in_one_sentence,
    test_an_audit_is_that_of_the_module,
    test_choices_and_promises_are_those_of_the_module,
    test_four_counts_have_an_answer,
    test_intervals_of_shares_are_exact,
    test_numbers_are_written_as_python_writes_them,
    test_rows_are_pasted_and_what_is_wrong_is_told,
    test_special_functions_are_those_of_scipy,
    test_the_example_fills_the_desk_by_the_keyboard,
    test_the_sentence_is_that_of_the_module,
    test_the_slip_is_the_one_that_the_command_writes_and_accepts,
    test_what_a_file_holds_is_shown_as_text,
)
from test_tasks import (  # noqa: F401
    reader,
    test_a_figure_is_cited,
    test_lambda_for_a_recall_from_a_file_of_scores,
    test_table_1_is_rerun_with_another_seed_by_a_copied_command,
    test_the_answer_is_there,
    test_the_verdict_on_a_claim_and_the_rows_behind_it,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.firefox.launch(
            executable_path=installed("firefox-esr"), channel="moz-firefox"
        )
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _fields_are_emptied_before_they_are_filled(monkeypatch):
    """In a field that no key has entered, the driver of Firefox does not replace what is there."""
    fill = Locator.fill

    def fill_anew(field, text):
        field.press("ControlOrMeta+a")
        field.press("Delete")
        fill(field, text)

    monkeypatch.setattr(Locator, "fill", fill_anew)
    monkeypatch.setattr(Page, "fill", lambda here, place, text: here.locator(place).fill(text))


def test_no_page_complains_asks_another_host_or_scrolls_sideways(browser, site, html):  # noqa: F811
    context = test_browser.new_context(browser, viewport={"width": 360, "height": 740})
    one, heard = context.new_page(), []
    one.on("console", lambda message: message.type == "error" and heard.append(message.text))
    one.on("pageerror", lambda error: heard.append(str(error)))
    one.on("request", lambda request: heard.append(request.url))
    found, wide = {}, {}
    for path in sorted((html / "book").rglob("*.html")):
        name = path.relative_to(html).as_posix()
        heard.clear()
        one.goto(site + name)
        one.evaluate(test_browser.LOADED)
        found[name] = [said for said in heard if not said.startswith((site, "data:", "blob:"))]
        wide[name] = one.evaluate("document.documentElement.scrollWidth") - 360
    context.close()
    assert {name: said for name, said in found.items() if said} == {}
    assert {name: pixels for name, pixels in wide.items() if pixels > 0} == {}
