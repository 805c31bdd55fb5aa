#!/usr/bin/env python3
"""scripts/kernel_table.py on made-up logs and listings: what it reads from them, and what it calls worse."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
sys.dont_write_bytecode = True
import kernel_table as table

LOG = """ptxas info    : Compiling entry function '_Z4onesv' for 'sm_80'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 24 registers, used 1 barriers, 440 bytes cmem[0]
ptxas info    : Compiling entry function '_Z4onesv' for 'sm_90a'
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 33 registers, used 1 barriers, 1024 bytes smem, 440 bytes cmem[0]
"""


def loop(head, *texts):
    """A loop of these instructions from address `head` on, and its back edge."""
    addresses = [head + 16 * i for i in range(len(texts) + 1)]
    return list(zip(addresses, [*texts, f"@!P0 BRA {hex(head)}"]))


class KernelTable(unittest.TestCase):
    def test_reads_the_compilers_log(self):
        self.assertEqual(table.resources(LOG), {("sm_80", "_Z4onesv"): [24, 0, 0], ("sm_90a", "_Z4onesv"): [33, 28, 1024]})

    def test_counts_the_innermost_loop_that_multiplies(self):
        inner = loop(0x100, "LDSM R1", "HMMA R2", "HMMA R3", "IADD3 R4")
        outer = loop(0x100, *(text for _, text in inner), *["MOV R1"] * 20)
        forward = [(0x0, "BRA 0x100")]
        self.assertEqual(table.slots_per_hmma(forward + inner + outer[len(inner):]), 5 / 2)
        self.assertIsNone(table.slots_per_hmma(loop(0x100, "FFMA R1")))

    def test_takes_the_worst_of_several_loops(self):
        self.assertEqual(table.slots_per_hmma(loop(0x100, "HMMA R1") + loop(0x200, "HMMA R1", "MOV R2")), 3)

    def test_hopper_loops_count_without_the_code_that_waits_elsewhere(self):
        hot = loop(0x100, "SYNCS.PHASECHK R1", "HGMMA.64x256x16 R2", "HGMMA.64x256x16 R2")
        retry = [(0x400, "MOV R1"), (0x410, "BRA 0x110")]
        self.assertEqual(table.slots_per_hmma(hot + retry), 2)

    def test_reads_a_listing(self):
        sass = "\n\t\tFunction : _Z4onesv\n" + "".join(f"  /*{a:04x}*/   {t} ;  /* 0xff */\n" for a, t in loop(16, "HMMA R1"))
        self.assertEqual(table.slots(sass), {"_Z4onesv": 2})

    def test_warps_fall_where_registers_pass_a_step(self):
        self.assertEqual([table.warps(n) for n in (32, 33, 128, 129, 168, 169, 255)], [64, 48, 16, 12, 12, 8, 8])

    def test_what_is_worse_is_named(self):
        def worse(*row):
            return table.differences({"a.cu f": ["128", "0", "0", "2.50"]}, {"a.cu f": [*row]})

        self.assertEqual(worse("120", "0", "0", "2.55"), [])
        self.assertIn("129 registers", worse("129", "0", "0", "2.50")[0])
        self.assertIn("8 bytes of stack", worse("128", "8", "0", "2.50")[0])
        self.assertIn("16 bytes of static shared", worse("128", "0", "16", "2.50")[0])
        self.assertIn("2.56 issue slots", worse("128", "0", "0", "2.56")[0])

    def test_another_compiler_has_looser_limits(self):
        def worse(*row):
            return table.differences({"a.cu f": ["128", "0", "0", "2.50"]}, {"a.cu f": [*row]}, False)

        self.assertEqual(worse("168", "0", "0", "3.00"), [])
        self.assertIn("8 warps", worse("169", "0", "0", "2.50")[0])
        self.assertIn("3.01 issue slots", worse("128", "0", "0", "3.01")[0])
        self.assertIn("8 bytes of stack", worse("128", "8", "0", "2.50")[0])

    def test_lost_tensor_cores_are_named(self):
        self.assertIn("no loop with an HMMA", table.differences({"f": ["8", "0", "0", "2"]}, {"f": ["8", "0", "0", "-"]})[0])
        rows = {"a_mma.cu f": ["8", "0", "0", "-"], "a_mma.cu g": ["8", "0", "0", "?"], "a.cu h": ["8", "0", "0", "-"]}
        self.assertEqual(len(table.uncounted(rows)), 1)

    def test_architectures_have_a_table_and_kernels(self):
        self.assertEqual(table.architecture_differences({"sm_80"}, {"sm_80"}), [])
        self.assertEqual(len(table.architecture_differences({"sm_80"}, {"sm_90a"})), 2)

    def test_objects_that_are_not_of_the_sources_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            source, header = os.path.join(folder, "a.cu"), os.path.join(folder, "a.h")

            def write(name, text=""):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
                os.utime(os.path.join(folder, name), (100, 100))

            before, table.objects = table.objects, folder
            self.addCleanup(setattr, table, "objects", before)
            write("a.cu"), write("a.h"), write("a.cu.log"), write("a.cu.o")
            self.assertIn("a.cu.d is missing", table.stale_objects([source])[0])
            write("a.cu.d", f"{folder}/a.cu.o : {source} \\\n    {header}\n")
            self.assertEqual(table.stale_objects([source]), [])
            os.utime(header, (200, 200))
            self.assertIn("a.h has changed", table.stale_objects([source])[0])

    def test_unknown_slots_are_not_compared(self):
        self.assertEqual(table.differences({"f": ["8", "0", "0", "2"]}, {"f": ["8", "0", "0", "?"]}), [])

    def test_kernels_that_come_or_go_are_named(self):
        row = ["8", "0", "0", "-"]
        self.assertEqual(len(table.differences({"f": row}, {"g": row})), 2)


if __name__ == "__main__":
    unittest.main()
