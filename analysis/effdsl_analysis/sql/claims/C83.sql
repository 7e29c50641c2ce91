-- Full fine-tuning has the highest ST for both models (Table 13).
FROM extreme('fine_tuning', 'image and video', 'st_samples_per_param_s', 'full', 'highest');
