-- No method is best on all metrics in any block of any table (Tables 3 to 13).
-- A block: the methods compared at one scale or for one model; Table 5 is one block.
FROM best_on_all();
