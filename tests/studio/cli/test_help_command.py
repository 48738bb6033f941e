"""``transfer-studio help``."""

from __future__ import annotations

import json
from typing import Any

from studio.cli.main import main


def test_help_lists_pages_and_prints_one(capsys: Any) -> None:
    assert main(["help"]) == 0
    assert "meta-learning" in capsys.readouterr().out
    assert main(["help", "meta-learning"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Meta-learning") and "`sinusoid_maml.yaml`" in text and "](" not in text


def test_help_search_finds_the_page_in_which_all_words_occur(capsys: Any) -> None:
    assert main(["help", "--search", "robomimic GRIPPERS", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["pages"]
    assert found["page"] == "data-and-embodiments"
    assert main(["help", "--search", "zzz"]) == 0
    assert "No page" in capsys.readouterr().out


def test_a_misspelled_page_is_a_wrong_request_with_the_near_one(capsys: Any) -> None:
    assert main(["help", "meta-lerning"]) == 2
    assert "Did you mean 'meta-learning'?" in capsys.readouterr().err


def test_help_prints_the_settings_of_a_strategy_and_of_a_policy(capsys: Any) -> None:
    assert main(["help", "multi_task"]) == 0
    text = capsys.readouterr().out
    assert "- `algorithm` (ppo; one of ppo, sac): " in text and "\n  - `alpha` (1; above 0 to 100): " in text
    assert "- `minibatch` (256; from 2 to 1_000_000 samples): Samples per gradient step." in text
    assert main(["help", "gradient_mlp"]) == 0
    text = capsys.readouterr().out
    assert "under `policy.params`" in text and "`width`" in text and "`inner_steps`" not in text, "it is derived"
