-- MLA performs well on DiT-B/4 (Table 10).
-- Well: at most half of the other methods have a lower FID.
FROM better_half('attention', 'image', 'fid', 'mla', 'lowest', []) WHERE size = 'dit-b-4';
