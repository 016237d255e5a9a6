"""Checks for the exercises. Each compares with an independent reference and says what is wrong, and with which tensor.

A check prints and never raises, so that a notebook with unsolved exercises still runs to its end. There is one file
for each lesson; lessons say `practice.check_...` for them all.
"""

from .lesson_01 import check_row_profile, check_run
from .lesson_02 import check_addresses, check_binding_index, check_choose_profile, check_wider
from .lesson_03 import check_keeping, check_request, check_verdict, check_worst_bytes
from .lesson_04 import check_run_after, check_run_and_refill, check_two_at_a_time
from .lesson_05 import check_complete, check_logits_bytes, check_rate
from .lesson_06 import check_as_wanted, check_number, check_ported
from .lesson_07 import check_make_batches, check_operations, check_time_ms
from .lesson_08 import check_careful, check_hours

__all__ = ["check_row_profile", "check_run"]  # lesson 1
__all__ += ["check_wider", "check_addresses", "check_binding_index", "check_choose_profile"]  # lesson 2
__all__ += ["check_request", "check_worst_bytes", "check_verdict", "check_keeping"]  # lesson 3
__all__ += ["check_run_after", "check_run_and_refill", "check_two_at_a_time"]  # lesson 4
__all__ += ["check_logits_bytes", "check_complete", "check_rate"]  # lesson 5
__all__ += ["check_number", "check_as_wanted", "check_ported"]  # lesson 6
__all__ += ["check_operations", "check_time_ms", "check_make_batches"]  # lesson 7
__all__ += ["check_hours", "check_careful"]  # lesson 8
