-- Every method improves at least one metric over each alternative: none is worse than another on all (Tables 3 to 13).
-- A case per block: the methods compared at one scale or for one model; Table 5 is one block.
FROM worse_on_all();
