"""Which cells respond, and at which dose: responders, dose curves, trends, scores, confounds."""
