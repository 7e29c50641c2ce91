-- GQA has the lowest FID on DiT-XL/2 and DiT-B/4 (Table 10).
FROM extreme('attention', 'image', 'fid', 'gqa', 'lowest')
WHERE size IN ('dit-xl-2', 'dit-b-4');
